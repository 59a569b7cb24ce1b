import Foundation
import FoundationNetworking

/// Decides whether an exchange ended with an answer, and says why if it did not.
struct TransferVerdict {
  let request: HTTPRequest
  let outcome: Exchange.Outcome
  let limits: TimeLimits
  let answerLimit: Int
  /// What the image body threw.
  var bodyFailure: (any Error)?
  /// The number of body bytes handed to the network; nil for a request without a streamed body.
  var sent: Int64?

  func answer() throws(ImageServiceError) -> HTTPAnswer {
    if outcome.abort == .cancelled {
      throw ImageServiceError(
        .cancelled, reason: "\(request.route) was cancelled\(progress).",
        remedy: "Start again when you are ready.")
    }
    // Before the status: a service that notices the broken connection may still answer.
    if let bodyFailure { throw Self.bodyFailed(bodyFailure, request: request, sent: sent) }
    if let redirect = outcome.redirect { throw refusedRedirect(to: redirect) }
    if let status = refusedTunnel { throw ProxyRefusal(tunnelOf: request, status: status).error }
    if let status = outcome.status, outcome.abort == nil {
      // A service that refuses an upload early may close before it read everything. What it said
      // counts, not the broken pipe.
      if outcome.error == nil || status >= 400 {
        return HTTPAnswer(
          request: request, status: status, headers: outcome.headers, body: outcome.body)
      }
    }
    throw failure()
  }

  /// The status with which a proxy refused to connect to an https host: URLSession gives it as if it
  /// were the service's own answer.
  private var refusedTunnel: Int? {
    guard let error = outcome.error, error.localizedDescription.contains("CONNECT tunnel failed"),
      let status = outcome.status
    else { return nil }
    return status
  }

  private var progress: String { sent.map { " after \($0) bytes" } ?? "" }

  private func failure() -> ImageServiceError {
    switch outcome.abort {
    case .answerTooLong:
      return ImageServiceError(
        .badAnswer,
        reason:
          "\(request.route) was answered with status \(outcome.status ?? 0) and more than "
          + "\(answerLimit) bytes.",
        remedy: "Check that this URL is the service itself and not something else.")
    case .stalled:
      return ImageServiceError(
        .timedOut,
        reason: "\(request.route) took no bytes for \(limits.stall.text)\(progress).",
        remedy: "Check the network and the load of the image service, then send the image again.")
    case .overdue:
      let limit = (sent.map(limits.afterUpload) ?? .zero) + limits.answer
      return ImageServiceError(
        .timedOut,
        reason: "\(request.route) was not answered in full within \(limit.text)\(progress).",
        remedy: "Check the network, and that the service is up and not overloaded.")
    case .rewind:
      return ImageServiceError(
        .connectionLost,
        reason: "\(request.route) had to be sent again from its first byte\(progress).",
        remedy: "Send the image again.",
        cause: outcome.error)
    case .settled:
      return ImageServiceError(
        .connectionLost,
        reason: "\(request.route) got no answer\(progress), although it had ended.",
        remedy: "Send the image again.")
    case .cancelled, nil:
      return networkFailure(outcome.error ?? URLError(.unknown))
    }
  }

  private func networkFailure(_ error: URLError) -> ImageServiceError {
    let host = request.url.host() ?? "the host"
    if error.localizedDescription.contains("Could not resolve proxy") {
      return ImageServiceError(
        .unreachable,
        reason: "\(request.route) failed: the host name of the proxy could not be resolved.",
        remedy: "Correct \(request.proxy?.variable ?? "the proxy variables"), or add \(host) to "
          + "no_proxy.",
        cause: error)
    }
    switch error.code {
    case .cannotFindHost, .dnsLookupFailed:
      return ImageServiceError(
        .unreachable,
        reason: "\(request.route) failed: the host name \(host) could not be resolved.",
        remedy: "Check the host name and the name service of this machine.",
        cause: error)
    case .cannotConnectToHost:
      return ImageServiceError(
        .unreachable,
        reason: "\(request.route) failed: the connection was refused.",
        remedy: "Check that the service runs and that host and port are right\(orProxy).",
        cause: error)
    case .timedOut:
      let limit = sent.map(limits.afterUpload) ?? limits.idle
      return ImageServiceError(
        .timedOut,
        reason: "\(request.route) got no answer within \(limit.text)\(progress).",
        remedy: "Check that the service is up and not overloaded.",
        cause: error)
    case .unsupportedURL:
      // The URL was checked before; this is libcurl's word for an answer that is not HTTP.
      return ImageServiceError(
        .badAnswer,
        reason: "\(request.route) was answered with something that is not HTTP.",
        remedy: "Check host and port: something else listens there.",
        cause: error)
    case .badURL:
      return ImageServiceError(
        .badConfiguration,
        reason: "\(request.route) failed: the URL cannot be used.",
        remedy: "Check the URL of the service.",
        cause: error)
    case .unknown where request.url.scheme?.lowercased() == "https" && (sent ?? 0) == 0:
      // URLSession on Linux has no code of its own for TLS; a connection that is reset has one.
      return ImageServiceError(
        .unreachable,
        reason: "\(request.route) failed in the TLS handshake: \(text(of: error)).",
        remedy: "If the certificate is from a private authority, copy that into "
          + "/usr/local/share/ca-certificates and run update-ca-certificates.",
        cause: error)
    default:
      return ImageServiceError(
        .connectionLost,
        reason: "\(request.route) broke off\(progress): \(text(of: error)).",
        remedy: "Try again; if it happens again, look into the log of the service.",
        cause: error)
    }
  }

  /// What else may be at fault.
  private var orProxy: String {
    request.proxy.map { ", and that the proxy in \($0.variable) works" } ?? ""
  }

  private func text(of error: URLError) -> String {
    Redaction(request).line(error.localizedDescription, limit: 200)
  }

  private func refusedRedirect(to target: URL) -> ImageServiceError {
    let place = Redaction(request).line(target.label, limit: 200)
    guard outcome.redirectCount < Exchange.redirectLimit else {
      return ImageServiceError(
        .badAnswer,
        reason:
          "\(request.route) was redirected \(outcome.redirectCount) times and then to \(place), "
          + "which was not followed.",
        remedy: "Check the URL of the service: something sends requests in a circle.")
    }
    return ImageServiceError(
      .badAnswer,
      reason:
        "\(request.route) was redirected to \(place), which was not followed: credentials "
        + "go to the configured address only.",
      remedy: "If that is the right address, configure it as the URL of the service.")
  }

  /// The error for a body that could not be read, here or by a store on the local disk.
  static func bodyFailed(
    _ error: any Error, request: HTTPRequest, sent: Int64?
  ) -> ImageServiceError {
    if let error = error as? ImageServiceError { return error }
    return ImageServiceError(
      .bodyFailed,
      reason:
        "The image could not be read after \(sent ?? 0) bytes; \(request.route) was aborted.",
      remedy: "Look at the error below this one: it comes from the disk being read.",
      cause: error)
  }
}
