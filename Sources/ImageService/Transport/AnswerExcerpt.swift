import Foundation

/// The message inside an error answer, fit for one line of a report.
///
/// Keystone and Glance wrap it in JSON (`{"error": {"message": …}}`, `{"message": …}`), Glance and
/// proxies also in HTML. It is untrusted text: bounded, without control characters, and without
/// the secrets of the request, should the service echo them.
struct AnswerExcerpt {
  let text: String?

  init(_ answer: HTTPAnswer) {
    // An error page may be large; its message is near its start.
    let body = String(decoding: answer.body.prefix(16_384), as: UTF8.self)
    // Glance puts webob's HTML line breaks into its JSON.
    var found = Self.jsonMessage(answer.body)?.replacing(/<br ?\/?>/, with: " ")
    if found == nil, body.first(where: { !$0.isWhitespace }) == "<" {
      found = Self.htmlMessage(body)
    } else if found == nil, answer.header("Content-Type")?.hasPrefix("text/plain") == true {
      found = body
    }
    // Far more than is shown, so that no secret is cut in two before it is looked for.
    text = found.map { Redaction(answer.request).line(String($0.prefix(65_536)), limit: 200) }
      .flatMap { $0.isEmpty ? nil : $0 }
  }

  /// One line of at most `limit` characters, with single spaces.
  static func clean(_ text: String, limit: Int) -> String {
    let line = text.unicodeScalars.prefix(limit * 20)
      .split { $0.isControl || $0.properties.isWhitespace }
      .map { String($0.filter { $0.properties.generalCategory != .format }) }
      .filter { !$0.isEmpty }
      .joined(separator: " ")
    return line.count <= limit ? line : line.prefix(limit - 1) + "…"
  }

  private static func jsonMessage(_ body: Data) -> String? {
    struct Message: Decodable { let message: String }
    struct Wrapped: Decodable { let error: Message }
    let decoder = JSONDecoder()
    if let wrapped = try? decoder.decode(Wrapped.self, from: body) { return wrapped.error.message }
    return (try? decoder.decode(Message.self, from: body))?.message
  }

  /// `<title>` and what follows `<h1>`: webob, which Glance uses, puts the detail there.
  private static func htmlMessage(_ body: String) -> String {
    var page = Substring(body)
    if let start = page.range(of: "<body", options: .caseInsensitive)?.lowerBound
      ?? page.range(of: "<title", options: .caseInsensitive)?.lowerBound
    {
      page = page[start...]
    }
    var text = ""
    var isTag = false
    for character in page {
      switch character {
      case "<": isTag = true
      case ">" where isTag:
        isTag = false
        text.append(" ")
      default:
        if !isTag { text.append(character) }
      }
    }
    return text
  }
}
