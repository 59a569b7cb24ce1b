import Foundation

/// The error for a refusal that comes from a proxy and not from the service behind it.
struct ProxyRefusal {
  let error: ImageServiceError

  /// Recognizes one by what OpenStack's services always send and proxies do not: a request id.
  ///
  /// - Parameter action: what was asked for, such as `asking for a token`.
  /// - Returns: nil if there is no proxy, or the service itself may have refused.
  init?(_ answer: HTTPAnswer, of action: String) {
    guard let proxy = answer.request.proxy, answer.requestID == nil,
      [403, 407, 502, 503, 504].contains(answer.status)
    else { return nil }
    self.init(
      proxy, status: answer.status, host: answer.request.url.host() ?? "the service",
      reason: "\(answer.request.route) (\(action)) was refused with status \(answer.status)"
        + answer.explanation
        + " It carries no OpenStack request id, so it is likely the proxy's answer.")
  }

  /// For a proxy that does not connect to the host of an https URL.
  init(tunnelOf request: HTTPRequest, status: Int) {
    let host = request.url.host() ?? "the service"
    let proxy = request.proxy
    self.init(
      proxy, status: status, host: host,
      reason: "\(request.route) failed: the proxy refused to connect to \(host) with status "
        + "\(status).")
  }

  private init(_ proxy: ProxySettings.Proxy?, status: Int, host: String, reason: String) {
    let variable = proxy?.variable ?? "https_proxy"
    let (code, remedy): (ImageServiceError.Code, String) =
      switch status {
      case 407:
        (.forbidden, "Put the proxy's user and password into the URL in \(variable).")
      case 403: (.forbidden, "Allow \(host) in the proxy, or add \(host) to no_proxy.")
      default: (.unavailable, "Check the proxy, or add \(host) to no_proxy.")
      }
    error = ImageServiceError(code, reason: reason, remedy: remedy)
  }
}
