import Foundation

/// Looks at an image until it is active.
struct ActivationWatch {
  let id: UUID
  let client: GlanceClient
  let limits: TimeLimits

  /// Ends at once on every status that cannot become `active` any more. An unknown status, or a
  /// service that fails for a moment, is waited for, as long as something changes now and then.
  func run() async throws(ImageServiceError) -> ImageRecord {
    var pause = limits.firstPause
    var last: ImageRecord?
    var lastChange = ContinuousClock.now
    var lastAnswer = ContinuousClock.now
    while true {
      do {
        let record = try await look()
        lastAnswer = .now
        if record.status == .active { return record }
        try refuseEnd(record.status)
        if record != last { lastChange = .now }
        last = record
      } catch {
        guard error.isTransient, .now - lastAnswer < limits.idle else { throw error }
      }
      guard .now - lastChange < limits.activation else { throw timedOut(last?.status) }
      guard (try? await Task.sleep(for: pause)) != nil else { throw cancelled() }
      pause = min(pause * 2, limits.longestPause)
    }
  }

  private func look() async throws(ImageServiceError) -> ImageRecord {
    let answer = try await client.show(id)
    switch answer.status {
    case 200: return try answer.decode(ImageRecord.self)
    case 404, 410: throw gone("is not there any more")
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
        remedy: "Look into Glance's log for the reason.")
    case .queued:
      throw ImageServiceError(
        .imageRequeued,
        reason: "Glance dropped the data of image \(id.path): its status is queued again.",
        remedy: "Look into Glance's log for the reason, then send the image again.")
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
      remedy: "Find out who deletes images, then make the image again.")
  }

  private func timedOut(_ status: ImageStatus?) -> ImageServiceError {
    let status = status.map { AnswerExcerpt.clean($0.rawValue, limit: 40) } ?? "unknown"
    return ImageServiceError(
      .timedOut,
      reason: "Image \(id.path) stayed \(status) for \(limits.activation) after it was sent.",
      remedy: "Look at it with: openstack image show \(id.path)")
  }

  private func cancelled() -> ImageServiceError {
    ImageServiceError(
      .cancelled, reason: "Waiting for image \(id.path) was cancelled.",
      remedy: "Start again when you are ready.")
  }
}
