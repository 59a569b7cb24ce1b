import Foundation

/// The base URL of a versioned OpenStack service.
enum ServiceURL {
  /// Appends `/version` exactly once: `http://h:9292`, `http://h:9292/v2/` and `https://h/image`
  /// all work. Another version at the end, such as `/v2.0`, is replaced.
  ///
  /// - Throws: `badConfiguration` naming `source` if `text` is no http or https URL, or contains
  ///   a user name or password, which would end up in logs.
  static func base(
    _ text: String, version: String, source: String
  ) throws(ImageServiceError) -> URL {
    guard var parts = URLComponents(string: text.trimmingCharacters(in: .whitespacesAndNewlines)),
      ["http", "https"].contains(parts.scheme?.lowercased()), parts.host?.isEmpty == false
    else {
      throw ImageServiceError(
        .badConfiguration,
        reason: "\(source) was not an http or https URL.",
        remedy: "Set it to something like https://cloud.example.org:5000.")
    }
    guard parts.user == nil, parts.password == nil else {
      throw ImageServiceError(
        .badConfiguration,
        reason: "\(source) contained a user name or password.",
        remedy: "Put user name and password into OS_USERNAME and OS_PASSWORD.")
    }
    parts.query = nil
    parts.fragment = nil
    var path = parts.percentEncodedPath.split(separator: "/")
    if let last = path.last, isVersion(last) { path.removeLast() }
    parts.percentEncodedPath = "/" + (path + [version[...]]).joined(separator: "/")
    guard let url = parts.url else {
      throw ImageServiceError(
        .badConfiguration, reason: "\(source) was not a usable URL.", remedy: "Check its spelling.")
    }
    return url
  }

  private static func isVersion(_ component: Substring) -> Bool {
    component.first?.lowercased() == "v" && component.count > 1
      && component.dropFirst().allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
  }
}
