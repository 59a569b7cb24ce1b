import Foundation

/// What each status of `PUT /v2/images/{id}/file` means for the person who wanted an image.
struct UploadRefusal {
  let error: ImageServiceError

  init(_ answer: HTTPAnswer, id: UUID) {
    let (code, cause, remedy) = Self.meaning(answer.status, id: id.path)
    error = ImageServiceError(
      code,
      reason:
        "\(answer.request.label) was refused with status \(answer.status): \(cause)"
        + (AnswerExcerpt(answer).text.map { " (\($0))." } ?? "."),
      remedy: remedy)
  }

  private static func meaning(
    _ status: Int, id: String
  ) -> (ImageServiceError.Code, String, String) {
    switch status {
    case 400:
      (
        .badRequest, "Glance did not accept the request, or got another number of bytes than sent",
        "Check disk_format and container_format, and that no proxy cuts the transfer."
      )
    case 401:
      (
        .unauthorized, "Glance refused a token that was just issued",
        "Check that Glance trusts this Keystone and that the clocks agree."
      )
    case 403:
      (
        .forbidden, "a policy forbids this user to upload to the image",
        "Ask for a role in the project that allows uploads, such as member."
      )
    case 404, 410:
      (
        .imageGone, "image \(id) was deleted by someone meanwhile",
        "Find out who deletes images, then make the image again."
      )
    case 409:
      (
        .conflict, "image \(id) is not queued, so it has data already or somebody is sending it",
        "Look at it with: openstack image show \(id)"
      )
    case 413:
      (
        .tooLarge, "the image exceeds a quota or the size cap of Glance, or the store is full",
        "Delete images you no longer need, or ask for a larger quota."
      )
    case 415:
      (
        .unsupportedMedia,
        "the content does not match the image's disk_format, or Glance holds it to be unsafe",
        "Give the disk_format the image really has."
      )
    case 429, 500...:
      (
        .unavailable, "Glance or the store behind it failed",
        "Try again later; if it persists, look into Glance's log."
      )
    default:
      (
        .badAnswer, "Glance does not give this answer",
        "Check that this URL is Glance itself and not a proxy."
      )
    }
  }
}
