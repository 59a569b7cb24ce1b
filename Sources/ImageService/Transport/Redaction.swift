import Foundation

/// Takes the secrets of a request out of what a service said, should it echo them: as they are, or
/// written as in JSON, HTML or a URL.
struct Redaction {
  private let forms: [String]

  init(_ request: HTTPRequest) {
    let secrets = request.secrets + (request.token.map { [$0] } ?? [])
    forms = Set(secrets.flatMap { Self.forms(of: $0.value) }).sorted {
      $0.utf8.count > $1.utf8.count
    }
  }

  func applied(to text: String) -> String {
    forms.reduce(text) { $0.replacing($1, with: "<redacted>") }
  }

  /// One line of at most `limit` characters, without secrets. What is only a secret when the line
  /// is tidied is none after it.
  func line(_ text: String, limit: Int) -> String {
    AnswerExcerpt.clean(
      applied(to: AnswerExcerpt.clean(applied(to: text), limit: limit * 20)), limit: limit)
  }

  private static func forms(of secret: String) -> [String] {
    var forms = [secret, AnswerExcerpt.clean(secret, limit: secret.count)]
    for options: JSONEncoder.OutputFormatting in [[], .withoutEscapingSlashes] {
      let encoder = JSONEncoder()
      encoder.outputFormatting = options
      guard let json = try? encoder.encode(secret) else { continue }
      forms.append(String(decoding: json.dropFirst().dropLast(), as: UTF8.self))
    }
    for characters in [CharacterSet.alphanumerics, .urlPathAllowed, .urlQueryAllowed] {
      if let escaped = secret.addingPercentEncoding(withAllowedCharacters: characters) {
        forms.append(escaped)
      }
    }
    for quote in ["&quot;", "&#34;"] {
      for apostrophe in ["'", "&#39;", "&#x27;"] {
        forms.append(
          secret.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;").replacing("\"", with: quote)
            .replacing("'", with: apostrophe))
      }
    }
    return forms.filter { !$0.isEmpty }
  }
}
