import Foundation
import FoundationNetworking

/// One request to an OpenStack service.
struct HTTPRequest: Sendable {
  var method: String
  var url: URL
  var headers: [String: String] = [:]
  var json: Data?
  /// The token to send as `X-Auth-Token`.
  var token: Secret?
  /// What must not come back in a message, even if the service echoes it.
  var secrets: [Secret] = []

  /// Method and URL without user, password, query and fragment.
  var label: String { "\(method) \(url.label)" }

  /// The request as URLSession wants it.
  func urlRequest(idle: Duration) -> URLRequest {
    var request = URLRequest(url: url, cachePolicy: .reloadIgnoringLocalCacheData)
    request.httpMethod = method
    request.timeoutInterval = idle.timeInterval
    request.setValue("application/json", forHTTPHeaderField: "Accept")
    // Each request has its own connection: a server that closes an idle one unannounced cannot hit
    // the next request then.
    request.setValue("close", forHTTPHeaderField: "Connection")
    request.setValue("image-create", forHTTPHeaderField: "User-Agent")
    if let json {
      request.httpBody = json
      request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    }
    if let token {
      request.setValue(token.value, forHTTPHeaderField: "X-Auth-Token")
    }
    for (name, value) in headers {
      request.setValue(value, forHTTPHeaderField: name)
    }
    return request
  }
}

extension Duration {
  /// Seconds, for Foundation. URLSession on Linux counts whole seconds, and 0 is at once.
  var timeInterval: Double {
    let (seconds, attoseconds) = components
    return max(1, Double(seconds) + Double(attoseconds) / 1e18)
  }
}

extension URL {
  /// The URL for messages: without user, password, query and fragment, which may hold secrets.
  var label: String {
    guard var parts = URLComponents(url: self, resolvingAgainstBaseURL: true) else {
      return "an unreadable URL"
    }
    parts.user = nil
    parts.password = nil
    parts.query = nil
    parts.fragment = nil
    return parts.string ?? "an unreadable URL"
  }

  /// Whether a token may follow from here to `other`: same scheme, host and port.
  func isSameOrigin(as other: URL) -> Bool {
    func port(_ url: URL) -> Int { url.port ?? (url.scheme?.lowercased() == "https" ? 443 : 80) }
    return scheme?.lowercased() == other.scheme?.lowercased()
      && host()?.lowercased() == other.host()?.lowercased()
      && port(self) == port(other)
  }
}
