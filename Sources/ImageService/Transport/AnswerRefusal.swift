/// The error for a status that refuses a small request.
struct AnswerRefusal {
  let error: ImageServiceError

  /// - Parameter action: what was asked for, such as `creating image …`, for the reason.
  init(_ answer: HTTPAnswer, of action: String) {
    if let refusal = ProxyRefusal(answer, of: action) {
      error = refusal.error
      return
    }
    let (code, remedy) = Self.meaning(answer.status)
    error = ImageServiceError(
      code,
      reason:
        "\(answer.request.route) (\(action)) was refused with status \(answer.status)"
        + answer.explanation,
      remedy: remedy)
  }

  private static func meaning(_ status: Int) -> (ImageServiceError.Code, String) {
    switch status {
    case 400: (.badRequest, "Check name, formats and properties of the image.")
    case 401:
      (.unauthorized, "Check that the service trusts this Keystone and that its clock is right.")
    case 403: (.forbidden, "Ask for a role in the project that allows this, such as member.")
    case 404: (.notFound, "Check the URL of the service and the id.")
    case 409: (.conflict, "Look at the state of the image with openstack image show.")
    case 413: (.tooLarge, "Delete images you no longer need, or ask for a larger quota.")
    case 429: (.unavailable, "Wait a minute and try again: the service limits requests.")
    case 500...: (.unavailable, "Try again later; if it persists, look into the service's log.")
    default: (.badAnswer, "Check that this URL is the service itself and not a proxy.")
    }
  }
}
