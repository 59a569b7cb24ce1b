import Foundation

/// The base URL of a versioned OpenStack service.
enum ServiceURL {
  /// Appends `/version` exactly once: `http://h:9292`, `http://h:9292/v2/` and `https://h/image`
  /// all work. Another version at the end, such as `/v2.0`, is replaced.
  ///
  /// Scheme and host become lowercase, and the scheme's own port is dropped, so that two spellings of
  /// one URL are equal.
  ///
  /// - Parameter override: the variable to set instead, if `source` is none.
  /// - Throws: `badConfiguration` naming `source` if `text` is not an http or https URL, or contains
  ///   a user name or password, which would end up in logs.
  static func base(
    _ text: String, version: String, source: String, override: String? = nil
  ) throws(ImageServiceError) -> URL {
    guard var parts = URLComponents(string: text.trimmingCharacters(in: .whitespacesAndNewlines)),
      ["http", "https"].contains(parts.scheme?.lowercased()), parts.host?.isEmpty == false
    else {
      throw ImageServiceError(
        .badConfiguration,
        reason: "\(source) is not an http or https URL.",
        remedy: "Set it to something like https://cloud.example.org:5000.")
    }
    guard parts.user == nil, parts.password == nil else {
      throw ImageServiceError(
        .badConfiguration,
        reason: "\(source) contains a user name or password.",
        remedy: "Put user name and password into OS_USERNAME and OS_PASSWORD.")
    }
    if let host = parts.host, host.contains(":") {
      // URLSession on Linux compares `[::1]` with `::1` and fails; fixed upstream in July 2026.
      throw ImageServiceError(
        .badConfiguration,
        reason: "\(source) has the IPv6 address \(host), which this program cannot connect to.",
        remedy:
          "Set \(override ?? source) to a URL with a host name, such as one from /etc/hosts.")
    }
    parts.scheme = parts.scheme?.lowercased()
    parts.host = parts.host?.lowercased()
    if parts.port == (parts.scheme == "https" ? 443 : 80) { parts.port = nil }
    parts.query = nil
    parts.fragment = nil
    var path = parts.percentEncodedPath.split(separator: "/")
    if let last = path.last, isVersion(last) { path.removeLast() }
    parts.percentEncodedPath = "/" + (path + [version[...]]).joined(separator: "/")
    guard let url = parts.url else {
      throw ImageServiceError(
        .badConfiguration, reason: "\(source) is not a usable URL.", remedy: "Check its spelling.")
    }
    return url
  }

  private static func isVersion(_ component: Substring) -> Bool {
    component.first?.lowercased() == "v" && component.count > 1
      && component.dropFirst().allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
  }
}
