import Foundation
import Logging

/// Looks at an image until it is active.
struct ActivationWatch {
  let id: UUID
  /// The length of what was sent: a large image is waited for longer.
  let byteCount: Int64
  let client: GlanceClient
  let limits: TimeLimits
  let logger: Logger

  /// Ends at once on every status that cannot become `active` any more. An unknown status is waited
  /// for as long as something changes now and then, and a service that is away as long as
  /// ``TimeLimits/patience``: the image is there, and to send it again would cost far more.
  func run() async throws(ImageServiceError) -> ImageRecord {
    let limit = limits.afterUpload(of: byteCount)
    let began = ContinuousClock.now
    var pause = limits.firstPause
    var last: ImageRecord?
    var lastChange = ContinuousClock.now
    var lastAnswer = ContinuousClock.now
    var didTell = false
    while true {
      do {
        let record = try await look()
        lastAnswer = .now
        if record.status == .active { return record }
        try refuseEnd(record.status)
        if record != last { lastChange = .now }
        last = record
      } catch {
        // Nonsense, such as a page of maintenance, is what a proxy says while the service is away.
        let isAway = error.isTransient || error.code == .badAnswer
        guard isAway else { throw error }
        guard .now - lastAnswer < limits.patience else {
          throw error.isTransient ? unsettled(error.reason, error) : error
        }
      }
      guard .now - lastChange < limit else {
        throw unsettled(
          "Image \(id.path) stayed \(status(last?.status)) for \(limit.text) after it was sent.",
          nil)
      }
      if !didTell, .now - began > min(limits.idle, limit) / 2 {
        didTell = true
        logger.warning(
          """
          image \(id.path) is \(status(last?.status)) after it was sent; waiting up to \
          \(limit.text)
          """)
      }
      guard (try? await Task.sleep(for: pause)) != nil else { throw cancelled }
      pause = min(pause * 2, limits.longestPause)
    }
  }

  /// Whether the image will not change any more, so that waiting for an answer is of no use.
  static func isSettled(_ answer: HTTPAnswer) -> Bool {
    if [404, 410].contains(answer.status) { return true }
    guard answer.status == 200, let record = try? answer.decode(ImageRecord.self) else {
      return false
    }
    return [.active, .killed, .deleted, .pendingDelete, .deactivated].contains(record.status)
  }

  private func look() async throws(ImageServiceError) -> ImageRecord {
    let answer = try await client.show(id)
    switch answer.status {
    case 200: return try answer.decode(ImageRecord.self)
    case 404, 410: throw gone("does not exist any more")
    default: throw AnswerRefusal(answer, of: "waiting for image \(id.path)").error
    }
  }

  private func refuseEnd(_ status: ImageStatus) throws(ImageServiceError) {
    switch status {
    case .deleted, .pendingDelete: throw gone("is \(status)")
    case .killed:
      throw ImageServiceError(
        .imageKilled,
        reason: "Glance gave image \(id.path) up after it was sent: its status is killed.",
        remedy: "Check Glance's log for the reason.")
    case .queued:
      throw ImageServiceError(
        .imageRequeued,
        reason: "Glance dropped the data of image \(id.path): its status is queued again.",
        remedy: "Check Glance's log for the reason, then send the image again.")
    case .deactivated:
      throw ImageServiceError(
        .imageDeactivated,
        reason: "Image \(id.path) was deactivated by an administrator.",
        remedy: "Ask for: openstack image set --activate \(id.path)")
    default: break
    }
  }

  private func gone(_ how: String) -> ImageServiceError {
    ImageServiceError(
      .imageGone,
      reason: "Image \(id.path) \(how): someone deleted it after it was sent.",
      remedy: "Find out who deletes images, then create the image again.")
  }

  private func status(_ status: ImageStatus?) -> String {
    status.map { AnswerExcerpt.clean($0.rawValue, limit: 40) } ?? "in an unknown state"
  }

  /// Not transient: the image may still become active, and must not be sent a second time.
  private func unsettled(_ reason: String, _ cause: ImageServiceError?) -> ImageServiceError {
    ImageServiceError(
      .imageUnsettled, reason: reason,
      remedy:
        "Check Glance, then run the command again, with a longer --upload-patience if Glance is "
        + "slow.",
      cause: cause)
  }

  var cancelled: ImageServiceError {
    ImageServiceError(
      .cancelled, reason: "Waiting for image \(id.path) was cancelled.",
      remedy: "Start again when you are ready.")
  }
}
