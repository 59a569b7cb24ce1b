import FlyingFox
import FlyingSocks
import Foundation

/// Stands before the lab's Glance and passes everything on but uploads, which it refuses: the real
/// one can't be made to give these answers at will.
enum RefusingProxy {
  /// When an upload is refused.
  enum Moment {
    /// At once, as Glance does, which then closes: the answer may be lost with the connection.
    case beforeBody
    /// When all of it has come, as a proxy does that buffers uploads.
    case afterBody
  }

  /// Runs a body while the proxy listens; gives it the URL to take for Glance.
  static func run(
    status: Int, _ moment: Moment, _ body: (String) async throws -> Void
  ) async throws {
    let server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: 0))
    await server.appendRoute("*") { request in
      if request.method == .PUT {
        if moment == .afterBody { for try await _ in request.bodySequence {} }
        return HTTPResponse(
          statusCode: HTTPStatusCode(status, phrase: "Refused"),
          headers: [.contentType: "text/plain"], body: Data("refused by the proxy".utf8))
      }
      return try await passOn(request)
    }
    let task = Task { try await server.run() }
    defer { task.cancel() }
    try await server.waitUntilListening()
    guard case .ip4(_, let port)? = await server.listeningAddress else {
      throw URLError(.cannotConnectToHost)
    }
    try await body("http://127.0.0.1:\(port)")
  }

  private static func passOn(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = String(decoding: try await request.bodyData, as: UTF8.self)
    var arguments = ["-sS", "-i", "-X", request.method.rawValue]
    if !body.isEmpty { arguments += ["--data-binary", body] }
    for name in ["X-Auth-Token", "Content-Type"] {
      if let value = request.headers[HTTPHeader(name)] { arguments += ["-H", "\(name): \(value)"] }
    }
    let answer = try await Lab.run("curl", arguments + [Cloud.url + request.path])
    let parts = answer.output.replacing("\r\n", with: "\n").split(
      separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
    let status = Int(parts[0].split(separator: " ")[1]) ?? 502
    return HTTPResponse(
      statusCode: HTTPStatusCode(status, phrase: ""), headers: [.contentType: "application/json"],
      body: Data((parts.count > 1 ? String(parts[1]) : "").utf8))
  }
}
