import Foundation

/// What each status of `PUT /v2/images/{id}/file` means for the person who wanted an image.
struct UploadRefusal {
  let error: ImageServiceError

  init(_ answer: HTTPAnswer, id: UUID) {
    if let refusal = ProxyRefusal(answer, of: "sending image \(id.path)") {
      error = refusal.error
      return
    }
    let (code, cause, remedy) = Self.meaning(answer, id: id.path)
    error = ImageServiceError(
      code,
      reason:
        "\(answer.request.route) was refused with status \(answer.status): \(cause)"
        + (AnswerExcerpt(answer).text.map { " (\($0))" } ?? "")
        + (answer.requestID.map { " (\($0))" } ?? "") + ".",
      remedy: remedy)
  }

  private static func meaning(
    _ answer: HTTPAnswer, id: String
  ) -> (ImageServiceError.Code, String, String) {
    switch answer.status {
    // Since version 31 Glance compares the length: a body that was cut on the way.
    case 400 where answer.mentions("size mismatch"):
      (
        .sizeMismatch, "Glance got another number of bytes than were sent",
        "Send the image again; check that no proxy cuts the transfer."
      )
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
    case 404: gone(id)
    case 410 where answer.mentions("disabled"):
      (
        .conflict, "Glance's store takes no new images",
        "Ask the cloud's operator to enable adding images to the store."
      )
    case 410: gone(id)
    case 409:
      (
        .conflict, "image \(id) is not queued, so it has data already or somebody is sending it",
        "Look at it with: openstack image show \(id)"
      )
    case 413 where answer.isProxyPage:
      (
        .tooLarge, "a proxy before Glance limits the length of requests",
        "Ask for a larger limit (nginx: client_max_body_size), or set OS_IMAGE_ENDPOINT_OVERRIDE "
          + "to an endpoint without it."
      )
    case 413:
      (
        .tooLarge, "the image exceeds a quota or the size cap of Glance, or the store is full",
        "Delete images you no longer need, or ask for a larger quota."
      )
    case 415:
      (
        .unsupportedMedia,
        "the content does not match the image's disk_format, or Glance considers it unsafe",
        "Give the disk_format that the image really has."
      )
    case 408, 429, 500...:
      (
        .unavailable, "Glance, the store behind it or a proxy before it failed",
        "Try again later; if it persists, check Glance's log."
      )
    default:
      (
        .badAnswer, "Glance does not give this answer",
        "Check that this URL is Glance itself and not a proxy."
      )
    }
  }

  private static func gone(_ id: String) -> (ImageServiceError.Code, String, String) {
    (
      .imageGone, "image \(id) does not exist any more; someone deleted it during the upload",
      "Find out who deletes images, then create the image again."
    )
  }
}

extension HTTPAnswer {
  fileprivate func mentions(_ words: String) -> Bool {
    AnswerExcerpt(self).text?.localizedCaseInsensitiveContains(words) == true
  }

  /// Whether a proxy wrote this and not Glance, whose every answer has a request id, passed on by
  /// proxies.
  fileprivate var isProxyPage: Bool {
    let names = ["nginx", "haproxy", "apache", "cloudflare", "envoy", "openresty", "varnish"]
    let server = header("Server")?.lowercased() ?? ""
    let body = String(decoding: body.prefix(4096), as: UTF8.self).lowercased()
    return requestID == nil && names.contains { server.contains($0) || body.contains($0) }
  }
}
