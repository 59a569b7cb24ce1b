import Foundation
import FoundationNetworking

/// One complete answer of an OpenStack service, whatever its status.
struct HTTPAnswer: Sendable {
  let request: HTTPRequest
  let status: Int
  let headers: [String: String]
  let body: Data
  /// How many times the request was sent until this answer came.
  var attempts = 1

  /// The value of a header, whatever its case.
  func header(_ name: String) -> String? {
    headers.first { $0.key.caseInsensitiveCompare(name) == .orderedSame }?.value
  }

  var isSuccess: Bool { (200..<300).contains(status) }

  /// Decodes the JSON body.
  ///
  /// - Throws: `badAnswer` with URL, status and content type, never the body itself.
  func decode<Value: Decodable>(_ type: Value.Type) throws(ImageServiceError) -> Value {
    do {
      return try JSONDecoder().decode(type, from: body)
    } catch {
      throw ImageServiceError(
        .badAnswer,
        reason:
          "\(request.label) was answered with status \(status) and \(body.count) bytes of "
          + "\(contentType) that were not the expected JSON.",
        remedy: "Check that this URL is the service itself and not a proxy or a login page.",
        cause: error)
    }
  }

  /// The content type for messages: one line, bounded.
  var contentType: String {
    guard let type = header("Content-Type"), !type.isEmpty else { return "unknown content type" }
    return Redaction(request).line(type, limit: 80)
  }

  /// The id under which the service logged the request: what its operator needs to find the cause.
  var requestID: String? {
    guard let id = header("X-Openstack-Request-Id") else { return nil }
    let line = Redaction(request).line(id, limit: 60)
    return line.isEmpty ? nil : line
  }

  /// `: <what the service said> (<request id>).`, or only a full stop if it said nothing readable.
  var explanation: String {
    let id = requestID.map { " (\($0))" } ?? ""
    guard let text = AnswerExcerpt(self).text else { return id + "." }
    guard let end = text.last, ".!?…".contains(end) else { return ": \(text)\(id)." }
    guard !id.isEmpty else { return ": \(text)" }
    return ": " + (end == "." ? String(text.dropLast()) : text) + id + "."
  }
}
