import Foundation

/// The proxies that libcurl, below URLSession, takes from the environment: known here only so that
/// errors can name them.
struct ProxySettings: Sendable {
  /// The proxy that a request goes through.
  struct Proxy: Sendable, Equatable {
    /// Without user and password.
    let url: String
    /// The variable that names it.
    let variable: String
  }

  /// Those of this process.
  static let ofProcess = ProxySettings(ProcessInfo.processInfo.environment)

  private let environment: [String: String]

  init(_ environment: [String: String]) { self.environment = environment }

  /// The proxy for a URL; nil if the request goes straight to its host.
  func proxy(for url: URL) -> Proxy? {
    guard let host = url.host()?.lowercased(), !isExempt(host) else { return nil }
    // `HTTP_PROXY` in capitals is what a CGI request could set, so libcurl does not take it.
    let names =
      url.scheme?.lowercased() == "https" ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"]
    for name in names + ["all_proxy", "ALL_PROXY"] {
      guard let value = environment[name], !value.isEmpty else { continue }
      let text = value.contains("://") ? value : "http://" + value
      let label = URL(string: text)?.label ?? "an unreadable URL"
      return Proxy(url: AnswerExcerpt.clean(label, limit: 200), variable: name)
    }
    return nil
  }

  private func isExempt(_ host: String) -> Bool {
    let list = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
    return list.split { $0 == "," || $0 == " " }.contains { entry in
      let entry = entry.lowercased()
      if entry == "*" { return true }
      if let network = IPv4Network(entry) { return network.contains(host) }
      let name = entry.hasPrefix(".") ? String(entry.dropFirst()) : entry
      return host == name || host.hasSuffix("." + name)
    }
  }

  /// `10.0.0.0/8`
  private struct IPv4Network {
    let prefix: UInt32
    let mask: UInt32

    init?(_ text: String) {
      let parts = text.split(separator: "/")
      guard parts.count == 2, let length = Int(parts[1]), (0...32).contains(length),
        let address = Self.address(String(parts[0]))
      else { return nil }
      mask = length == 0 ? 0 : ~0 << (32 - UInt32(length))
      prefix = address & mask
    }

    func contains(_ host: String) -> Bool {
      Self.address(host).map { $0 & mask == prefix } ?? false
    }

    private static func address(_ text: String) -> UInt32? {
      let bytes = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
      guard bytes.count == 4 else { return nil }
      return bytes.reduce(0 as UInt32?) { sum, byte in
        guard let sum, let byte else { return nil }
        return sum << 8 | UInt32(byte)
      }
    }
  }
}

extension HTTPRequest {
  /// The proxy that this request goes through.
  var proxy: ProxySettings.Proxy? { ProxySettings.ofProcess.proxy(for: url) }

  /// `label`, and which proxy the request went through, for error messages.
  var route: String {
    label + (proxy.map { " via the proxy \($0.url) (\($0.variable))" } ?? "")
  }
}
