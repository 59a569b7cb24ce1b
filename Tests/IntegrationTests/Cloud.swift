import Foundation
import Testing

/// The lab's Glance, asked directly.
enum Cloud {
  private actor Tokens {
    private var token: String?

    func get() async throws -> String {
      if let token { return token }
      let client = try #require(Lab.settings["OPENSTACK"])
      let outcome = try await Lab.run(
        client, ["token", "issue", "-f", "value", "-c", "id"], environment: Lab.openrc)
      try #require(outcome.status == 0, "openstack token issue: \(outcome.errors)")
      let fresh = outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
      token = fresh
      return fresh
    }
  }

  private static let tokens = Tokens()

  static var url: String { Lab.settings["GLANCE_URL"] ?? "" }

  /// The ids of all images, in every state, sorted.
  static func imageIDs() async throws -> [String] {
    struct Answer: Decodable {
      struct Image: Decodable { let id: String }
      let images: [Image]
    }
    let text = try await request("GET", "/v2/images?limit=1000")
    return try JSONDecoder().decode(Answer.self, from: Data(text.utf8)).images.map(\.id).sorted()
  }

  /// One image's attributes that are strings or numbers, as text.
  static func image(_ id: String) async throws -> [String: String] {
    let text = try await request("GET", "/v2/images/\(id)")
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    return (object ?? [:]).compactMapValues { value in
      (value as? String) ?? (value as? NSNumber)?.stringValue
    }
  }

  /// Where the lab's Glance keeps an image's data.
  static func file(_ id: String) -> String { "\(Lab.imageFolder)/\(id)" }

  static func delete(_ id: String) async throws {
    _ = try await request("DELETE", "/v2/images/\(id)")
  }

  private static func request(_ method: String, _ path: String) async throws -> String {
    try await Lab.must(
      "curl", "-sS", "--fail-with-body", "--retry", "20", "--retry-connrefused", "--retry-delay",
      "1", "-X", method, "-H", "X-Auth-Token: \(try await tokens.get())", url + path)
  }
}

/// Runs a body between two looks at a server's surroundings, which must be the same.
func leavingAsItWas(
  _ name: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> Void
) async throws {
  let before = try await Surroundings.of(name)
  try await body()
  let after = try await Surroundings.of(name)
  #expect(after == before, sourceLocation: sourceLocation)
}

/// Compares an image with a disk that stands still.
func expectEqual(
  image: String, _ format: String, disk: String, _ driver: String,
  sourceLocation: SourceLocation = #_sourceLocation
) async throws {
  let check = try await Lab.run(
    "qemu-img", ["compare", "-U", "-f", format, "-F", driver, image, disk])
  #expect(check.status == 0, "\(check.output)\(check.errors)", sourceLocation: sourceLocation)
}
