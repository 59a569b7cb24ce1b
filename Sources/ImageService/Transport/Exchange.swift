import Dispatch
import Foundation
import FoundationNetworking
import Synchronization

/// One request and its answer over a connection of their own: the delegate of one URLSession.
///
/// URLSession on Linux takes HTTP/2 wherever an https server offers it, and cannot be told not to.
/// Uploads are slower on it (about 1.5 times), and a refusal that comes early is often lost with the
/// stream: then the image is asked for, as after every upload whose answer is lost.
final class Exchange: NSObject, URLSessionDataDelegate, Sendable {
  /// Why this side ended the exchange.
  enum Abort: Sendable {
    case cancelled
    case answerTooLong
    case stalled
    /// Bytes of the answer came now and then, but never all.
    case overdue
    /// The image's state shows how the upload ended; its answer need not come any more.
    case settled
    /// The body would have had to be sent again from its start, on the same stream.
    case rewind
  }

  struct Outcome: Sendable {
    var status: Int?
    var headers: [String: String] = [:]
    var body = Data()
    var abort: Abort?
    var error: URLError?
    /// Where a refused redirect pointed to.
    var redirect: URL?
    /// How many redirects were followed.
    var redirectCount = 0
  }

  /// So many redirects of one request are followed at most.
  static let redirectLimit = 5

  private struct State {
    var outcome = Outcome()
    var task: URLSessionTask?
    var continuation: CheckedContinuation<Outcome, Never>?
    var didGiveStream = false
  }

  private let request: HTTPRequest
  private let pump: BodyPump?
  private let idle: Duration
  private let answerLimit: Int
  private let state = Mutex(State())

  init(_ request: HTTPRequest, pump: BodyPump? = nil, idle: Duration, answerLimit: Int) {
    self.request = request
    self.pump = pump
    self.idle = idle
    self.answerLimit = answerLimit
  }

  /// Sends the request and waits for the end of its answer.
  func run() async -> Outcome {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let session = URLSession(
          configuration: Self.configuration(), delegate: self,
          delegateQueue: BoundedDelegateQueue())
        let urlRequest = request.urlRequest(idle: idle)
        let task =
          pump == nil
          ? session.dataTask(with: urlRequest)
          : session.uploadTask(withStreamedRequest: urlRequest)
        state.withLock {
          $0.continuation = continuation
          $0.task = task
        }
        task.resume()
        // Lets go of session and delegate when the task is done.
        session.finishTasksAndInvalidate()
        if Task.isCancelled { abort(.cancelled) }
      }
    } onCancel: {
      abort(.cancelled)
    }
  }

  /// Ends the exchange from this side. The first reason counts.
  func abort(_ reason: Abort) {
    let task = state.withLock {
      if $0.outcome.abort == nil { $0.outcome.abort = reason }
      return $0.task
    }
    // First the pump: URLSession cannot cancel while it is blocked in a read.
    pump?.stop()
    // Not on the delegate's queue, which URLSession may be waiting for.
    DispatchQueue.global().async { task?.cancel() }
    // URLSession gets to its own cancellation only when the bytes pause.
    if reason == .answerTooLong { return conclude(URLError(.cancelled)) }
    // URLSession on Linux has states in which a cancelled task never completes.
    DispatchQueue.global().asyncAfter(deadline: .now() + 5) { self.conclude(URLError(.cancelled)) }
  }

  private static func configuration() -> URLSessionConfiguration {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.urlCache = nil
    configuration.urlCredentialStorage = nil
    configuration.httpCookieStorage = nil
    configuration.httpCookieAcceptPolicy = .never
    configuration.httpShouldSetCookies = false
    return configuration
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask,
    needNewBodyStream completionHandler: @escaping (InputStream?) -> Void
  ) {
    let isFirst = state.withLock { state in
      defer { state.didGiveStream = true }
      return !state.didGiveStream
    }
    if let pump, isFirst {
      completionHandler(PulledBodyStream(pump: pump))
    } else {
      // libcurl wants to rewind. The bytes are gone; going on would send an image with a hole.
      completionHandler(nil)
      abort(.rewind)
    }
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    keep(response)
    completionHandler(.allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isTooLong = state.withLock {
      let room = answerLimit - $0.outcome.body.count
      $0.outcome.body.append(data.prefix(max(0, room)))
      return data.count > room
    }
    if isTooLong { abort(.answerTooLong) }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask,
    willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
    completionHandler: @escaping (URLRequest?) -> Void
  ) {
    // URLSession on Linux would send all headers, the token with them, wherever it is told to.
    let target = request.url
    let isOurs =
      self.request.method == "GET" && target.map(self.request.url.isSameOrigin(as:)) == true
    let isAllowed = state.withLock { state in
      guard isOurs, state.outcome.redirectCount < Self.redirectLimit else {
        state.outcome.redirect = target
        return false
      }
      state.outcome.redirectCount += 1
      return true
    }
    if !isAllowed { keep(response) }
    completionHandler(isAllowed ? request : nil)
  }

  /// A 401 with a challenge that URLSession understands, such as `Basic` from a proxy. It is the
  /// answer: there is nothing to try here, and URLSession on Linux never completes a task whose
  /// challenge is cancelled.
  func urlSession(
    _ session: URLSession, task: URLSessionTask, didReceive challenge: URLAuthenticationChallenge,
    completionHandler: @escaping (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
  ) {
    if let response = challenge.failureResponse { keep(response) }
    conclude(nil)
    completionHandler(.cancelAuthenticationChallenge, nil)
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    if let response = task.response { keep(response) }
    conclude(error)
  }

  /// Hands the outcome over, the first time.
  private func conclude(_ error: (any Error)?) {
    let (continuation, outcome) = state.withLock { state in
      state.outcome.error = error.map { ($0 as? URLError) ?? URLError(.unknown) }
      defer {
        state.continuation = nil
        state.task = nil
      }
      return (state.continuation, state.outcome)
    }
    continuation?.resume(returning: outcome)
  }

  private func keep(_ response: URLResponse) {
    guard let response = response as? HTTPURLResponse else { return }
    var headers: [String: String] = [:]
    for (name, value) in response.allHeaderFields {
      headers["\(name)"] = "\(value)"
    }
    state.withLock {
      $0.outcome.status = response.statusCode
      $0.outcome.headers = headers
    }
  }
}
