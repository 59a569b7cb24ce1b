import Foundation
import Logging
import Synchronization

/// Sends an image's bytes, and finds out what became of them if the service does not say.
///
/// A whole upload is never sent twice: if its last byte was taken and the answer is an error, late
/// or lost, the image itself tells. `active` and it is there; `saving` and it is waited for;
/// only `queued` or gone and it has to be sent again.
struct FileUpload {
  let id: UUID
  let body: any ImageBody
  let hash: HashAlgorithm
  let client: GlanceClient
  let limits: TimeLimits
  let logger: Logger
  let progress: @Sendable (Int64) -> Void

  /// With less than this many bytes sent, a broken connection may be a refusal whose answer was lost.
  private static let earlyByteCount: Int64 = 16 << 20

  /// Sends the bytes with a token that lives for a while. A refused token is renewed once, and
  /// everything is sent again, unless the image is there all the same: a token may end while a proxy
  /// holds the body.
  func run() async throws(ImageServiceError) -> Receipt {
    let token = try await client.keystone.token(living: limits.tokenMargin)
    let first = await client.putFile(id, body: body, hash: hash, token: token, progress: progress)
    guard case .success(let answer) = first.result, answer.status == 401 else {
      return try await settle(first)
    }
    let refusal = UploadRefusal(answer, id: id).error
    if let receipt = first.receipt, try await hasArrived(receipt, grace: .zero, refusal) {
      return receipt
    }
    let renewed = try await client.keystone.replacement(of: token)
    return try await settle(
      await client.putFile(id, body: body, hash: hash, token: renewed, progress: progress))
  }

  private func settle(
    _ outcome: Transport.UploadOutcome
  ) async throws(ImageServiceError) -> Receipt {
    let failure: ImageServiceError
    // What Glance says itself, it says after it is done with the image.
    var grace = limits.grace
    switch outcome.result {
    case .success(let answer):
      guard !answer.isSuccess else { return try sent(outcome.receipt, answer) }
      failure = UploadRefusal(answer, id: id).error
      if [400, 403, 404, 413, 415].contains(answer.status) { throw failure }
      if answer.requestID != nil { grace = .zero }
    case .failure(let error):
      failure = error
      if [.cancelled, .bodyFailed].contains(error.code) || outcome.isRedirected { throw failure }
    }
    if let receipt = outcome.receipt, try await hasArrived(receipt, grace: grace, failure) {
      return receipt
    }
    if failure.code == .connectionLost, let refusal = await lostRefusal(outcome) { throw refusal }
    throw failure
  }

  private func sent(
    _ receipt: Receipt?, _ answer: HTTPAnswer
  ) throws(ImageServiceError) -> Receipt {
    if let receipt { return receipt }
    throw ImageServiceError(
      .badAnswer,
      reason:
        "\(answer.request.route) was answered with status \(answer.status) before the whole "
        + "image was sent.",
      remedy: "Check that no proxy stands between this machine and Glance.")
  }

  /// Asks the service for the image until it says whether it has it.
  ///
  /// - Returns: true if the image is active; false if it has no data or is gone.
  /// - Throws: if the service does not say for too long, or the image stays in between.
  private func hasArrived(
    _ receipt: Receipt, grace: Duration, _ failure: ImageServiceError
  ) async throws(ImageServiceError) -> Bool {
    logger.info(
      "\(failure.reason) All \(receipt.byteCount) bytes were sent; checking image \(id.path)"
    )
    let end = ContinuousClock.now + grace
    let watch = ActivationWatch(
      id: id, byteCount: receipt.byteCount, client: client, limits: limits, logger: logger)
    while true {
      do {
        _ = try await watch.run()
        logger.info("image \(id.path) arrived anyway")
        return true
      } catch {
        switch error.code {
        case .imageRequeued where .now < end:
          guard (try? await Task.sleep(for: min(grace, .seconds(1)))) != nil else {
            throw watch.cancelled
          }
        case .imageRequeued, .imageGone, .imageKilled: return false
        default: throw error
        }
      }
    }
  }

  /// Finds the refusal whose answer was lost with the connection: an image that somebody deleted,
  /// maybe to stop this; early on, whatever the service says if it is asked before it gets the body.
  ///
  /// - Returns: nil if it would take the body, or holds the image for the upload that broke.
  private func lostRefusal(_ outcome: Transport.UploadOutcome) async -> ImageServiceError? {
    if outcome.receipt == nil, let look = try? await client.show(id),
      [404, 410].contains(look.status)
    {
      return UploadRefusal(look, id: id).error
    }
    guard outcome.sentByteCount < Self.earlyByteCount,
      let token = try? await client.keystone.token(living: limits.tokenMargin)
    else { return nil }
    let question = await client.putFile(
      id, body: Question(), hash: hash, token: token, asksFirst: true)
    // What a service says before it wants the body; the rest, a conflict among it, may be about the
    // upload that broke.
    guard case .success(let answer) = question.result,
      [401, 403, 413, 415, 503].contains(answer.status)
    else { return nil }
    return UploadRefusal(answer, id: id).error
  }

  /// A body that is never sent: it keeps its reader waiting for longer than libcurl waits for a
  /// `100 Continue`, and then fails, which breaks the connection.
  private struct Question: ImageBody {
    struct Unanswered: Error {}

    let byteCount: Int64? = nil

    func makeReader() -> any ImageBodyReader { Reader() }

    private final class Reader: ImageBodyReader {
      func read(upTo limit: Int) throws -> Data? {
        Thread.sleep(forTimeInterval: 2)
        throw Unanswered()
      }

      func close() {}
    }
  }
}
