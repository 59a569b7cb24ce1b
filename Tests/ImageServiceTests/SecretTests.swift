import Foundation
import ImageService
import Logging
import Synchronization
import Testing

@Suite struct SecretTests {
  @Test func noDescriptionOfASecretShowsIt() throws {
    let secret = Secret(Fixture.password)
    var dumped = ""
    dump(secret, to: &dumped)
    let credentials = try Fixture.credentials("http://h:5000")
    dump(credentials, to: &dumped)
    dump(Optional(credentials), to: &dumped)
    for text in [
      "\(secret)", secret.debugDescription, String(reflecting: secret), "\(credentials)",
      String(reflecting: credentials), dumped,
    ] {
      #expect(!text.contains(Fixture.password))
    }
  }

  @Test func aSecretThatTheServiceEchoesIsNotShown() async throws {
    let echo = #"{"error": {"message": "no such password \#(Fixture.password) here"}}"#
    try await StubServer.run([Step("POST", "/v3/auth/tokens", .json(401, echo))]) { server in
      let error = try await Fixture.failure { try await Fixture.glance(server).checkAccess() }
      #expect(error.reason.contains("no such password <redacted> here"))
      Self.expectNoSecret(in: error)
    }
    let token = "gAAAA-token-never-shown"
    try await StubServer.run([
      .token(token),
      Step("DELETE", "/v2/images/\(Fixture.id)", .html(403, "Forbidden", "token \(token) no")),
    ]) { server in
      let error = try await Fixture.failure {
        try await Fixture.glance(server).delete(Fixture.imageID)
      }
      #expect(error.code == .forbidden)
      Self.expectNoSecret(in: error, token)
    }
  }

  @Test func noLogLevelShowsASecret() async throws {
    let log = Mutex<[String]>([])
    let recorder = RecordingLog { line in log.withLock { $0.append(line) } }
    let token = "gAAAA-token-never-shown"
    let body = PatternBody(1000)
    try await StubServer.run([
      .token(token), Step("POST", "/v2/images", .json(201, Fixture.record(status: "queued"))),
      Step("PUT", "/v2/images/\(Fixture.id)/file", .answer(204)),
    ]) { server in
      let store = try Fixture.glance(server, logger: Logger(label: "t") { _ in recorder })
      _ = try await store.create(Fixture.image)
      _ = try await store.upload(Fixture.imageID, body: body) { _ in }
    }
    let text = log.withLock { $0.joined(separator: "\n") }
    #expect(text.contains("image sent"))
    #expect(!text.contains(token))
    #expect(!text.contains(Fixture.password))
  }

  static func expectNoSecret(in error: ImageServiceError, _ secret: String = Fixture.password) {
    var dumped = ""
    dump(error, to: &dumped)
    for text in [error.reason, error.remedy, "\(error)", String(reflecting: error), dumped] {
      #expect(!text.contains(secret))
    }
  }
}

/// Keeps every line of every level, with all metadata.
struct RecordingLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace
  let record: @Sendable (String) -> Void

  init(record: @escaping @Sendable (String) -> Void) { self.record = record }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    record("\(event.level) \(event.message) \(event.metadata ?? [:])")
  }
}
