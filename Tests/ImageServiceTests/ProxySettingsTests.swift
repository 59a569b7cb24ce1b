import Foundation
import Testing

@testable import ImageService

/// The proxy that libcurl takes, so that errors name the right one.
@Suite struct ProxySettingsTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let variables: [String: String]
    var url = "http://glance.example.org:9292/v2"
    let proxy: String?
    var testDescription: String { "\(variables) \(url)" }

    init(_ variables: [String: String], _ proxy: String?, url: String? = nil) {
      self.variables = variables
      self.proxy = proxy
      if let url { self.url = url }
    }
  }

  static let https = "https://glance.example.org/v2"

  static let table = [
    Row([:], nil),
    Row(["http_proxy": "http://p:3128"], "http://p:3128 (http_proxy)"),
    Row(["http_proxy": "p:3128"], "http://p:3128 (http_proxy)"),
    Row(["http_proxy": "http://ann:secret@p:3128/"], "http://p:3128/ (http_proxy)"),
    // libcurl takes only the small letters: HTTP_PROXY can come from a request to a CGI program.
    Row(["HTTP_PROXY": "http://p:3128"], nil),
    Row(["https_proxy": "http://p:3128"], nil),
    Row(["https_proxy": "http://p:3128"], "http://p:3128 (https_proxy)", url: https),
    Row(["HTTPS_PROXY": "http://p:3128"], "http://p:3128 (HTTPS_PROXY)", url: https),
    Row(["ALL_PROXY": "socks5://p:1080"], "socks5://p:1080 (ALL_PROXY)"),
    Row(["http_proxy": "p", "no_proxy": "*"], nil),
    Row(["http_proxy": "p", "no_proxy": "localhost,.example.org"], nil),
    Row(["http_proxy": "p", "no_proxy": "other.org, Example.org"], nil),
    Row(["http_proxy": "p", "NO_PROXY": "glance.example.org"], nil),
    Row(["http_proxy": "p", "no_proxy": "ample.org"], "http://p (http_proxy)"),
    Row(["http_proxy": "p", "no_proxy": "10.0.0.0/8"], nil, url: "http://10.1.2.3:9292/"),
    Row(
      ["http_proxy": "p", "no_proxy": "10.0.0.0/8"], "http://p (http_proxy)",
      url: "http://11.1.2.3:9292/"),
    Row(["http_proxy": "p", "no_proxy": "127.0.0.1"], nil, url: "http://127.0.0.1:9292/"),
  ]

  @Test(arguments: table)
  func `the proxy is the one of libcurl, without user and password`(_ row: Row) throws {
    let url = try #require(URL(string: row.url))
    let proxy = ProxySettings(row.variables).proxy(for: url)
    #expect(proxy.map { "\($0.url) (\($0.variable))" } == row.proxy)
  }
}
