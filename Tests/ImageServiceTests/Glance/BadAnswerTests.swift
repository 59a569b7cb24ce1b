import Foundation
import ImageService
import Testing

@Suite struct BadAnswerTests {
  static func create(_ server: StubServer) async throws -> ImageServiceError {
    try await Fixture.failure { try await Fixture.glance(server).create(Fixture.image) }
  }

  @Test func aLoginPageInPlaceOfJSONIsNamedWithoutItsText() async throws {
    let page = "<html><head><title>Sign in</title></head><body>secret-page-body</body></html>"
    try await StubServer.run([
      .token(),
      Step("POST", "/v2/images", .answer(200, headers: ["Content-Type": "text/html"], page)),
    ]) { server in
      let error = try await Self.create(server)
      #expect(error.code == .badAnswer)
      #expect(error.reason.contains("\(server.url)/v2/images"))
      #expect(error.reason.contains("status 200"))
      #expect(error.reason.contains("text/html"))
      #expect(!error.description.contains("secret-page-body"))
    }
  }

  @Test func truncatedJSONIsABadAnswer() async throws {
    let half = String(Fixture.record(status: "queued").prefix(80))
    try await StubServer.run([.token(), Step("POST", "/v2/images", .json(201, half))]) { server in
      let error = try await Self.create(server)
      #expect(error.code == .badAnswer)
      #expect(error.reason.contains("status 201"))
    }
  }

  @Test func aHundredMegabytesOfJSONAreNotReadToTheEnd() async throws {
    try await StubServer.run([.token(), Step("POST", "/v2/images", .flood(100_000_000))]) {
      let error = try await Self.create($0)
      #expect(error.code == .badAnswer)
      #expect(error.reason.contains("more than 4194304 bytes"))
    }
  }

  @Test func nonsenseInPlaceOfHTTPIsAnError() async throws {
    var limits = Fixture.limits
    limits.retries = 0
    try await StubServer.run([Step("POST", "/v3/auth/tokens", .raw("SSH-2.0-OpenSSH_9.2\r\n"))]) {
      let store = try Fixture.glance($0, limits: limits)
      let error = try await Fixture.failure { try await store.checkAccess() }
      #expect([.connectionLost, .badAnswer].contains(error.code))
    }
  }

  @Test func anAnswerOfAnotherImageIsABadAnswer() async throws {
    let other = "99999999-2222-4333-8444-555555555555"
    let record = Fixture.record(status: "queued", id: other)
    try await StubServer.run([.token(), Step("POST", "/v2/images", .json(201, record))]) {
      let error = try await Self.create($0)
      #expect(error.code == .badAnswer)
      #expect(error.reason.contains(other))
    }
  }

  @Test func longAndUglyMessagesBecomeOneShortLine() async throws {
    let message = "a\\u001b[31m\\n  b\\t" + String(repeating: "c", count: 5000)
    try await StubServer.run([
      .token(), Step("POST", "/v2/images", .json(400, #"{"message": "\#(message)"}"#)),
    ]) {
      let error = try await Self.create($0)
      #expect(error.code == .badRequest)
      #expect(error.reason.contains(": a [31m b ccc"))
      #expect(error.reason.count < 400)
      #expect(!error.reason.contains("\u{1b}"))
    }
  }

  @Test func lineBreaksOfHTMLInsideJSONAreNotShown() async throws {
    let body = #"{"message": "Name is bad.<br /><br />\n\n", "code": "400 Bad Request"}"#
    try await StubServer.run([.token(), Step("POST", "/v2/images", .json(400, body))]) {
      let error = try await Self.create($0)
      #expect(error.reason.hasSuffix("with status 400: Name is bad."))
    }
  }

  @Test(arguments: ["POST", "PUT"])
  func theTokenNeverFollowsARedirectToAnotherHost(method: String) async throws {
    // A script without steps: any request to it fails the test.
    try await StubServer.run([]) { thief in
      let redirect = Reply.answer(307, headers: ["Location": thief.url + "/v2/images?x=1"])
      let path = method == "POST" ? "/v2/images" : "/v2/images/\(Fixture.id)/file"
      try await StubServer.run([.token(), Step(method, path, redirect)]) { server in
        let store = try Fixture.glance(server)
        let error = try await Fixture.failure {
          if method == "POST" {
            _ = try await store.create(Fixture.image)
          } else {
            _ = try await store.upload(Fixture.imageID, body: PatternBody(10)) { _ in }
          }
        }
        #expect(error.code == .badAnswer)
        #expect(error.reason.contains("redirected to \(thief.url)/v2/images,"))
      }
    }
  }

  @Test func aGetIsRedirectedWithinTheSameServiceOnly() async throws {
    let path = "/v2/images?limit=1&status=active"
    try await StubServer.run([
      .token(), Step("GET", path, .answer(302, headers: ["Location": "/v2/other"])),
      Step("GET", "/v2/other", .json(200, #"{"images": []}"#)),
    ]) { server in
      _ = try await Fixture.glance(server).checkAccess()
    }
    try await StubServer.run([]) { thief in
      let redirect = Reply.answer(302, headers: ["Location": thief.url + path])
      try await StubServer.run([.token(), Step("GET", path, redirect)]) { server in
        let error = try await Fixture.failure { try await Fixture.glance(server).checkAccess() }
        #expect(error.code == .badAnswer)
      }
    }
  }
}
