import Foundation
import FoundationNetworking
import Logging

/// Sends requests over URLSession and turns what went wrong below HTTP into ``ImageServiceError``.
///
/// A status is never an error here; what it means depends on the call.
struct Transport: Sendable {
  /// More than any JSON of Keystone or Glance that is asked for here, in bytes.
  static let answerLimit = 4 << 20

  let limits: TimeLimits
  let logger: Logger

  /// Sends a small request, which must be harmless to send twice.
  ///
  /// - Parameter patiently: whether to send it again while the service is away or busy; see
  ///   ``Backoff``.
  func send(
    _ request: HTTPRequest, patiently: Bool = true
  ) async throws(ImageServiceError) -> HTTPAnswer {
    var backoff = Backoff(limits: limits)
    while true {
      let outcome = await uncutOutcome(of: request)
      let attempt = backoff.attempt
      guard patiently, let pause = backoff.pause(after: outcome) else {
        var answer = try outcome.get()
        answer.attempts = attempt
        return answer
      }
      let what =
        switch outcome {
        case .success(let answer): "was answered with status \(answer.status)"
        case .failure(let error): "failed (\(error.code))"
        }
      // A short disturbance is not worth a line on the terminal.
      logger.log(
        level: attempt == 3 ? .warning : .info,
        "\(request.route) \(what) and is sent again in \(pause.text)",
        metadata: ["attempt": "\(attempt)"])
      guard (try? await Task.sleep(for: pause)) != nil else {
        throw ImageServiceError(
          .cancelled, reason: "\(request.label) was cancelled.",
          remedy: "Start again when you are ready.")
      }
    }
  }

  /// A request that changes something is not cut short by a cancellation: given up half-way, it may
  /// still create the image after the undo looked for it and did not find it.
  private func uncutOutcome(
    of request: HTTPRequest
  ) async -> Result<HTTPAnswer, ImageServiceError> {
    guard request.method != "GET" else { return await outcome(of: request) }
    return await Task.detached { await outcome(of: request) }.value
  }

  private func outcome(of request: HTTPRequest) async -> Result<HTTPAnswer, ImageServiceError> {
    do throws(ImageServiceError) {
      let answer = try await sendOnce(request)
      log(answer)
      return .success(answer)
    } catch {
      return .failure(error)
    }
  }

  private func log(_ answer: HTTPAnswer) {
    var metadata: Logger.Metadata = [
      "request": "\(answer.request.label)", "status": "\(answer.status)",
    ]
    if let id = answer.requestID { metadata["request_id"] = "\(id)" }
    // A refusal goes into the log file with the id that the service's operator will ask for.
    logger.log(level: answer.isSuccess ? .debug : .info, "answered", metadata: metadata)
  }

  private func sendOnce(_ request: HTTPRequest) async throws(ImageServiceError) -> HTTPAnswer {
    let exchange = Exchange(request, idle: limits.idle, answerLimit: Self.answerLimit)
    // URLSession's limit begins anew with every byte.
    let whole = limits.answer
    let watch = Task.detached {
      if (try? await Task.sleep(for: whole)) != nil { exchange.abort(.overdue) }
    }
    defer { watch.cancel() }
    return try TransferVerdict(
      request: request, outcome: await exchange.run(), limits: limits, answerLimit: Self.answerLimit
    ).answer()
  }

  /// How an upload ended.
  struct UploadOutcome: Sendable {
    let result: Result<HTTPAnswer, ImageServiceError>
    /// What was sent; nil unless all of it was handed to the network.
    let receipt: Receipt?
    /// How many bytes were handed to the network.
    let sentByteCount: Int64
    /// Whether a redirect was refused: then the service itself never got the body.
    var isRedirected = false
  }

  /// Sends a request with a streamed body, once.
  ///
  /// - Parameters:
  ///   - hash: what the receipt is to have.
  ///   - isSettled: asked now and then after the last byte, while the answer does not come; true
  ///     gives the answer up.
  func upload(
    _ request: HTTPRequest, body: any ImageBody, hash: HashAlgorithm = .sha512,
    isSettled: @escaping @Sendable () async -> Bool = { false },
    progress: @escaping @Sendable (Int64) -> Void
  ) async -> UploadOutcome {
    let pump = BodyPump(body: body, hash: hash, progress: progress)
    // URLSession has one idle limit for sending and for waiting for the answer. The second must be
    // generous, so the first is watched here.
    let patience = limits.afterUpload(of: body.byteCount ?? 0)
    let exchange = Exchange(
      request, pump: pump, idle: patience, answerLimit: Self.answerLimit)
    let limits = limits
    let watch = Task.detached {
      var sent: ContinuousClock.Instant?
      var looked = ContinuousClock.now
      while (try? await Task.sleep(for: min(limits.stall / 10, limits.lookPause))) != nil {
        if pump.stalledFor > limits.stall { exchange.abort(.stalled) }
        guard pump.receipt != nil else { continue }
        if sent == nil { looked = .now }
        let since = sent ?? .now
        sent = since
        if .now - since > patience + limits.answer { exchange.abort(.overdue) }
        if .now - looked >= limits.lookPause {
          if await isSettled() { exchange.abort(.settled) }
          looked = .now
        }
      }
    }
    pump.start()
    let outcome = await exchange.run()
    watch.cancel()
    let receipt = pump.receipt
    // Now, and not after the stop: a reader that fails because of an early refusal is not its cause.
    let bodyFailure = pump.failure
    pump.stop()
    // The caller may take the disk away once this returns, so no read may be under way then.
    await pump.producerEnded()
    let verdict = TransferVerdict(
      request: request, outcome: outcome, limits: limits, answerLimit: Self.answerLimit,
      bodyFailure: bodyFailure, sent: pump.takenByteCount)
    do throws(ImageServiceError) {
      let answer = try verdict.answer()
      log(answer)
      return UploadOutcome(
        result: .success(answer), receipt: receipt, sentByteCount: pump.takenByteCount)
    } catch {
      return UploadOutcome(
        result: .failure(error), receipt: receipt, sentByteCount: pump.takenByteCount,
        isRedirected: outcome.redirect != nil)
    }
  }
}
