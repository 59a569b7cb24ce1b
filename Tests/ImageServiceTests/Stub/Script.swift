import Foundation

/// What the stub does with one request. Any other request fails the test.
struct Step: Sendable {
  let method: String
  let path: String
  let reply: Reply

  init(_ method: String, _ path: String, _ reply: Reply) {
    self.method = method
    self.path = path
    self.reply = reply
  }

  /// `POST /v3/auth/tokens`, answered with a token whose catalog points back to the stub.
  static func token(_ name: String = "token-1", lifetime: Int = 3600) -> Step {
    Step("POST", "/v3/auth/tokens", .token(name, lifetime: lifetime))
  }
}

enum Reply: Sendable {
  /// Reads the whole request, then answers.
  case answer(Int, headers: [String: String] = [:], String = "")
  /// Answers when so many bytes of the body have come, then reads on until the client closes.
  case early(Int, afterBodyBytes: Int, headers: [String: String] = [:], String = "")
  /// Closes the connection when so many bytes of the body have come; nil is after all of them.
  case hangUp(afterBodyBytes: Int?)
  /// Reads the whole request and never answers.
  case silence
  /// Takes so many bytes of the body and then neither reads nor answers.
  case stall(afterBodyBytes: Int)
  /// Reads the whole request, writes these bytes and closes.
  case raw(String)
  /// The same with bytes that are no text.
  case bytes(Data)
  /// Reads the whole request, then writes this text again and again until the client closes.
  case endless(String, again: String, pause: Duration)
  /// Answers with a JSON string of so many bytes.
  case flood(Int)
  /// Answers with a token.
  case token(String, lifetime: Int)

  static func json(_ status: Int, _ body: String) -> Reply {
    .answer(status, headers: ["Content-Type": "application/json"], body)
  }

  /// What Glance says by way of webob.
  static func html(_ status: Int, _ title: String, _ detail: String) -> Reply {
    .answer(
      status, headers: ["Content-Type": "text/html; charset=UTF-8"],
      "<html>\n <head>\n  <title>\(status) \(title)</title>\n </head>\n <body>\n"
        + "  <h1>\(status) \(title)</h1>\n  \(detail)<br /><br />\n\n\n </body>\n</html>")
  }
}

/// A request as the stub saw it.
struct SeenRequest: Sendable {
  var method = ""
  var path = ""
  var headers: [String: String] = [:]
  var body = Data()
  /// Whether the body came to its proper end: the last chunk, or Content-Length bytes.
  var isComplete = false

  var line: String { "\(method) \(path)" }
}
