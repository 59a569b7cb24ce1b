import Foundation
import ImageService
import Testing

/// Where a Keystone or a Glance sends requests to: tokens and passwords never follow.
@Suite struct HostileRedirectTests {
  static let statuses = [301, 302, 303, 307, 308]

  @Test(arguments: statuses, HostileAnswerTests.Call.allCases)
  func `no redirect to another host is followed`(
    _ status: Int, call: HostileAnswerTests.Call
  ) async throws {
    // A script without steps: any request to it fails the test.
    try await StubServer.run([]) { thief in
      let target = thief.url + "/take?token=x"
      let reply = Reply.answer(status, headers: ["Location": target])
      try await StubServer.run(call.script(reply)) { server in
        let error = try await call.failure(server, limits: HostileAnswerTests.oneTry)
        #expect(error.code == .badAnswer)
        #expect(
          error.reason
            == "\(call.label(server)) was redirected to \(thief.url)/take, which was not followed: "
            + "credentials go to the configured address only.")
      }
    }
  }

  @Test(arguments: [
    "ftp://127.0.0.1/x", "https://127.0.0.1:1/",
    "http://user:pw@127.0.0.1:1/x",
    "//127.0.0.1:1/x", "http://[::1]:1/",
  ])
  func `no redirect to another scheme, port or user is followed`(_ target: String) async throws {
    let call = HostileAnswerTests.Call.probe
    let reply = Reply.answer(302, headers: ["Location": target])
    try await StubServer.run(call.script(reply)) { server in
      let error = try await call.failure(server, limits: HostileAnswerTests.oneTry)
      #expect(error.code == .badAnswer, "\(error.reason)")
      #expect(!error.description.contains("pw@"))
      #expect(!error.description.contains("root:"))
    }
  }

  @Test func `a redirect to a file reads no file`() async throws {
    // URLSession on Linux takes it for a path of the same service.
    let redirect = Reply.answer(302, headers: ["Location": "file:///etc/passwd"])
    let call = HostileAnswerTests.Call.probe
    try await StubServer.run(
      call.script(redirect) + [Step("GET", "/etc/passwd", .html(404, "Not Found", "no"))]
    ) { server in
      let error = try await call.failure(server, limits: HostileAnswerTests.oneTry)
      #expect(error.code == .notFound)
      #expect(!error.description.contains("root:"))
    }
  }

  @Test func `redirects in a circle end`() async throws {
    let call = HostileAnswerTests.Call.probe
    let reply = Reply.answer(302, headers: ["Location": call.path])
    try await StubServer.run(call.script(reply, times: 6)) { server in
      let error = try await call.failure(server, limits: HostileAnswerTests.oneTry)
      #expect(error.code == .badAnswer)
      #expect(
        error.reason
          == "\(call.label(server)) was redirected 5 times and then to \(server.url)/v2/images, "
          + "which was not followed.")
    }
  }

  @Test func `a token that the service puts into the address of a redirect is not shown`()
    async throws
  {
    let token = "gAAAA-token-never-shown"
    try await StubServer.run([
      .token(token),
      Step(
        "DELETE", "/v2/images/\(Fixture.id)",
        .answer(307, headers: ["Location": "http://127.0.0.1:9/\(token)/x"])),
    ]) { server in
      let error = try await Fixture.failure {
        try await Fixture.glance(server).delete(Fixture.imageID)
      }
      #expect(error.reason.contains("redirected to http://127.0.0.1:9/<redacted>/x,"))
      SecretTests.expectNoSecret(in: error, token)
    }
  }

  /// A password as a service may write it.
  static let echoes: [(String, String)] = [
    (#"a"b"#, #"{\"password\": \"a\\\"b\"}"#), ("a&<b>'c", "pw a&amp;&lt;b&gt;&#39;c"),
    ("a b/ü", "https://h/?p=a%20b%2F%C3%BC"), ("a  b", "a  b"), ("s3cret", "s3\\u200bcret"),
  ]

  @Test(arguments: echoes)
  func `a password is not shown in whatever form it is echoed`(_ password: String, echo: String)
    async throws
  {
    let body = #"{"error": {"message": "no: \#(echo) !"}}"#
    try await StubServer.run([Step("POST", "/v3/auth/tokens", .json(401, body))]) { server in
      let credentials = try Credentials(
        authURL: server.url, user: .id("u"), password: Secret(password), project: .id("p"))
      let error = try await Fixture.failure {
        try await GlanceStore(credentials: credentials, logger: Fixture.quiet).checkAccess()
      }
      #expect(error.reason.contains("<redacted>"), "\(error.reason)")
      #expect(error.reason.hasSuffix(" !"))
    }
  }

  @Test func `a login page that answers a delete with 200 has deleted nothing`() async throws {
    try await StubServer.run([
      .token(), Step("DELETE", "/v2/images/\(Fixture.id)", .html(200, "Sign in", "here")),
    ]) { server in
      let error = try await Fixture.failure {
        try await Fixture.glance(server).delete(Fixture.imageID)
      }
      #expect(error.code == .badAnswer)
    }
  }

  static let names: [(String, String?)] = [
    ("a b", nil), ("-rf", nil), ("--help", nil), ("Büro €", nil),
    (String(repeating: "ü", count: 255), nil),
    (
      String(repeating: "ü", count: 256), "The image name had 256 characters; 1 to 255 are allowed."
    ),
    ("a\nb", #"The image name "a\nb" contained a control character."#),
    ("a\0b", #"The image name "a\0b" contained a control character."#),
    ("a\u{9B}2Jb", #"The image name "a\u{9b}2Jb" contained a control character."#),
    ("a\u{202E}\u{1B}", #"The image name "a\u{202e}\u{1b}" contained a control character."#),
    (" \t ", #"The image name " \t " contained a control character."#),
    ("\u{3000}", "The image name was blank."),
  ]

  @Test(arguments: names)
  func `a name that can't be is refused in words that don't steer the terminal`(
    _ name: String, reason: String?
  ) throws {
    var image = Fixture.image
    image.name = name
    guard let reason else { return try image.checkRules() }
    let error = try #require(throws: ImageServiceError.self) { try image.checkRules() }
    #expect(error.code == .invalidName)
    #expect(error.reason == reason)
  }

  @Test func `a key of any length is named by its beginning`() throws {
    var image = Fixture.image
    image.properties[String(repeating: "k", count: 100_000)] = "v"
    let error = try #require(throws: ImageServiceError.self) { try image.checkRules() }
    #expect(error.code == .invalidMetadata)
    #expect(error.reason.count < 400)
  }
}
