import Foundation
import FoundationNetworking

/// Decides whether a small request is sent again, and after how long.
///
/// Only what a service that starts, is overloaded or is being replaced gives is tried again: 429,
/// 502, 503, 504, a refused and a broken connection. A 401 never is: that could lock an account.
struct Backoff {
  /// How many times the request was sent.
  private(set) var attempt = 1
  private let limits: TimeLimits
  private let began = ContinuousClock.now

  init(limits: TimeLimits) { self.limits = limits }

  /// The pause before the next attempt; nil if there is none.
  mutating func pause(after outcome: Result<HTTPAnswer, ImageServiceError>) -> Duration? {
    guard attempt <= limits.retries, Self.mayPass(outcome) else { return nil }
    var pause = min(limits.retryPause * (1 << min(attempt - 1, 16)), .seconds(15))
    if case .success(let answer) = outcome, let asked = Self.retryAfter(answer) {
      pause = max(pause, min(asked, .seconds(30)))
    }
    guard .now - began + pause <= limits.retryBudget else { return nil }
    attempt += 1
    return pause
  }

  private static func mayPass(_ outcome: Result<HTTPAnswer, ImageServiceError>) -> Bool {
    switch outcome {
    case .success(let answer): return [429, 502, 503, 504].contains(answer.status)
    case .failure(let error):
      // A host name that does not resolve is a typing error more often than a passing fault.
      return error.code == .connectionLost
        || error.code == .unreachable
          && (error.cause as? URLError)?.code == .cannotConnectToHost
    }
  }

  /// `Retry-After: 120` or `Retry-After: Fri, 31 Dec 1999 23:59:59 GMT`
  static func retryAfter(_ answer: HTTPAnswer, now: Date = .now) -> Duration? {
    guard let text = answer.header("Retry-After") else { return nil }
    if let seconds = Int(text) { return .seconds(max(0, min(seconds, 86_400))) }
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
    guard let date = format.date(from: text) else { return nil }
    return .seconds(max(0, date.timeIntervalSince(now)))
  }
}
