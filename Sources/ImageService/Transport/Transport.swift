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

  /// Sends a small request. One whose connection breaks is sent again, so it must be harmless to
  /// do it twice.
  func send(_ request: HTTPRequest) async throws(ImageServiceError) -> HTTPAnswer {
    var attempt = 1
    while true {
      do {
        var answer = try await sendOnce(request)
        answer.attempts = attempt
        logger.debug(
          "answered",
          metadata: ["request": "\(request.label)", "status": "\(answer.status)"])
        return answer
      } catch {
        guard error.code == .connectionLost, attempt <= limits.retries else { throw error }
        logger.debug(
          "connection lost, sending again",
          metadata: ["request": "\(request.label)", "attempt": "\(attempt)"])
        attempt += 1
      }
    }
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

  /// Sends a request with a streamed body, once.
  ///
  /// - Returns: the answer, and the receipt if the whole body was sent. An answer that came early
  ///   has none.
  func upload(
    _ request: HTTPRequest, body: any ImageBody, progress: @escaping @Sendable (Int64) -> Void
  ) async throws(ImageServiceError) -> (HTTPAnswer, Receipt?) {
    let pump = BodyPump(body: body, progress: progress)
    let exchange = Exchange(
      request, pump: pump, idle: limits.uploadAnswer, answerLimit: Self.answerLimit)
    let idle = limits.idle
    // URLSession has one idle limit for sending and for waiting for the answer. The second must be
    // generous, so the first is watched here.
    let whole = limits.uploadAnswer + limits.answer
    let watch = Task.detached {
      var sent: ContinuousClock.Instant?
      while (try? await Task.sleep(for: idle / 10)) != nil {
        if pump.stalledFor > idle { exchange.abort(.stalled) }
        if pump.receipt != nil { sent = sent ?? .now }
        if let sent, .now - sent > whole { exchange.abort(.overdue) }
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
    let answer = try TransferVerdict(
      request: request, outcome: outcome, limits: limits, answerLimit: Self.answerLimit,
      bodyFailure: bodyFailure, sent: pump.takenByteCount
    ).answer()
    return (answer, receipt)
  }
}
