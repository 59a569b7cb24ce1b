import Foundation

/// The body of `PATCH /v2/images/{id}` that adds properties to an image or replaces them: a JSON patch
/// in Glance's form, whose paths have one segment.
struct PropertyPatch: Encodable {
  /// Glance's name of the form.
  static let contentType = "application/openstack-images-v2.1-json-patch"

  let properties: [String: String]

  private struct Operation: Encodable {
    // RFC 6902: also replaces a member that is there.
    let op = "add"
    let path: String
    let value: String

    private enum CodingKeys: String, CodingKey { case op, path, value }
  }

  func encode(to encoder: any Encoder) throws {
    var list = encoder.unkeyedContainer()
    for (key, value) in properties.sorted(by: { $0.key < $1.key }) {
      try list.encode(Operation(path: "/" + Self.segment(key), value: value))
    }
  }

  /// RFC 6901: `~` and `/` are escaped.
  private static func segment(_ key: String) -> String {
    key.replacingOccurrences(of: "~", with: "~0").replacingOccurrences(of: "/", with: "~1")
  }
}
