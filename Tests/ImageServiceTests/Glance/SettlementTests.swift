import Foundation
import Testing

@testable import ImageService

/// What is done once the last byte of an upload was sent and the service does not say that it has it.
@Suite struct SettlementTests {
  static let imagePath = "/v2/images/\(Fixture.id)"
  static let body = PatternBody(200_000)

  static func put(_ reply: Reply) -> Step { Step("PUT", imagePath + "/file", reply) }

  static func look(_ reply: Reply) -> Step { Step("GET", imagePath, reply) }

  static func look(_ status: String) -> Step {
    look(.json(200, Fixture.record(status: status)))
  }

  static func upload(_ server: StubServer, limits: TimeLimits = Fixture.limits) async throws
    -> Receipt
  {
    try await Fixture.glance(server, limits: limits).upload(Fixture.imageID, body: body) { _ in }
  }

  struct Answer: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let reply: Reply
    let code: ImageServiceError.Code
  }

  static let answers = [
    Answer(
      testDescription: "504", reply: .html(504, "Gateway Time-out", ""), code: .unavailable),
    Answer(
      testDescription: "502 in HTML", reply: .html(502, "Bad Gateway", ""), code: .unavailable),
    Answer(testDescription: "503", reply: .answer(503), code: .unavailable),
    Answer(testDescription: "500", reply: .answer(500), code: .unavailable),
    Answer(testDescription: "408", reply: .answer(408), code: .unavailable),
    Answer(testDescription: "409 to a replay", reply: .answer(409), code: .conflict),
    Answer(testDescription: "410 to a replay", reply: .answer(410), code: .imageGone),
    Answer(
      testDescription: "a lost connection", reply: .hangUp(afterBodyBytes: nil),
      code: .connectionLost),
    Answer(testDescription: "no HTTP", reply: .raw("SSH-2.0-x\r\n"), code: .badAnswer),
  ]

  static let arrivals: [[Step]] = [
    [look("active")],
    [look("saving"), look("importing"), look("something_new"), look("active")],
    [
      look(.answer(503)), look(.hangUp(afterBodyBytes: nil)), look(.html(200, "Maintenance", "x")),
      look(.answer(429)), look("saving"), look(.answer(504)), look("active"),
    ],
  ]

  @Test(arguments: answers, arrivals.indices)
  func `an image that arrived is not sent again, whatever the answer was`(
    _ answer: Answer, arrival: Int
  ) async throws {
    try await StubServer.run([.token(), Self.put(answer.reply)] + Self.arrivals[arrival]) {
      let receipt = try await Self.upload($0)
      #expect(receipt == Fixture.receipt(Self.body.data))
    }
  }

  static let failures: [[Step]] = [
    [look("queued")], [look(.answer(404))], [look("saving"), look("queued")],
    [look(.answer(503)), look(.answer(404))], [look("killed")], [look("deleted")],
  ]

  @Test(arguments: answers.filter { $0.code == .unavailable }, failures.indices)
  func `an image without data or gone is to be sent again`(_ answer: Answer, failure: Int)
    async throws
  {
    try await StubServer.run([.token(), Self.put(answer.reply)] + Self.failures[failure]) {
      server in
      let error = try await Fixture.failure { try await Self.upload(server) }
      #expect(error.code == answer.code)
      #expect(error.isTransient)
    }
  }

  @Test func `an image that stays in saving is given up, and later for a large one`() async throws {
    var limits = Fixture.limits
    limits.patience = .milliseconds(50)
    limits.firstPause = .milliseconds(300)
    try await StubServer.run([
      .token(), Self.put(.answer(504)), Self.look("saving"), Self.look("saving"),
    ]) { server in
      let error = try await Fixture.failure { try await Self.upload(server, limits: limits) }
      #expect(error.code == .imageUnsettled)
      #expect(!error.isTransient)
      #expect(error.reason.contains("stayed saving for 0.1 s"))
    }
    #expect(TimeLimits().afterUpload(of: 0) == .seconds(600))
    #expect(TimeLimits().afterUpload(of: 1_500_000_000_000) == .seconds(600 + 300_000))
  }

  @Test func `a service that stays away is given up after the patience`() async throws {
    var limits = Fixture.limits
    limits.patience = .milliseconds(50)
    limits.firstPause = .milliseconds(300)
    try await StubServer.run([
      .token(), Self.put(.answer(502)), Self.look(.answer(503)), Self.look(.answer(503)),
    ]) { server in
      let error = try await Fixture.failure { try await Self.upload(server, limits: limits) }
      #expect(error.code == .imageUnsettled)
    }
  }

  @Test func `an answer that never comes is given up once the image is active`() async throws {
    var limits = Fixture.limits
    limits.lookPause = .milliseconds(100)
    let clock = ContinuousClock.now
    try await StubServer.run([
      .token(), Self.put(.silence), Self.look("saving"), Self.look(.answer(503)),
      Self.look("active"), Self.look("active"),
    ]) {
      let receipt = try await Self.upload($0, limits: limits)
      #expect(receipt == Fixture.receipt(Self.body.data))
    }
    #expect(.now - clock < limits.patience)
  }

  @Test func `a proxy that buffers may begin a moment after its answer`() async throws {
    var limits = Fixture.limits
    limits.grace = .milliseconds(300)
    try await StubServer.run([
      .token(), Self.put(.answer(504)), Self.look("queued"), Self.look("saving"),
      Self.look("active"),
    ]) {
      let receipt = try await Self.upload($0, limits: limits)
      #expect(receipt == Fixture.receipt(Self.body.data))
    }
  }

  @Test func `what Glance says itself is believed at once, and told with its request id`()
    async throws
  {
    var limits = Fixture.limits
    limits.grace = .seconds(20)
    let log = RecordedLog()
    let id = "req-00000000-1111-4222-8333-444444444444"
    try await StubServer.run([
      .token(), Self.put(.answer(503, headers: ["X-Openstack-Request-Id": id])),
      Self.look("queued"),
    ]) { server in
      let store = try Fixture.glance(server, limits: limits, logger: log.logger)
      let error = try await Fixture.failure {
        try await store.upload(Fixture.imageID, body: Self.body) { _ in }
      }
      #expect(error.code == .unavailable)
      #expect(error.reason.hasSuffix(" (\(id))."))
    }
    #expect(log.lines("info").contains { $0.contains("\"request_id\": \(id)") })
  }

  @Test func `a token that ends while a proxy holds the body costs no second upload`() async throws
  {
    let seen = try await StubServer.run([
      .token("old"), Self.put(.answer(401)), Self.look(.answer(401)), .token("new"),
      Self.look("active"),
    ]) {
      let receipt = try await Self.upload($0)
      #expect(receipt == Fixture.receipt(Self.body.data))
    }
    #expect(seen.last?.headers["x-auth-token"] == "new")
  }

  @Test func `a refused token is renewed and the image sent again if it did not arrive`()
    async throws
  {
    try await StubServer.run([
      .token("old"), Self.put(.answer(401)), Self.look("queued"), .token("new"),
      Self.put(.answer(204)),
    ]) {
      let receipt = try await Self.upload($0)
      #expect(receipt == Fixture.receipt(Self.body.data))
    }
  }

  @Test(arguments: [400, 403, 404, 413, 415])
  func `a refusal that leaves no data is not asked after`(_ status: Int) async throws {
    try await StubServer.run([.token(), Self.put(.answer(status))]) { server in
      _ = try await Fixture.failure { try await Self.upload(server) }
    }
  }

  static let texts: [(Reply, ImageServiceError.Code, String)] = [
    (
      .html(400, "Bad Request", "Size mismatch: expected 9 bytes, wrote 7"), .sizeMismatch,
      "another number of bytes than were sent"
    ),
    (
      .answer(413, headers: ["Server": "nginx"], "<center>nginx/1.22</center>"), .tooLarge,
      "a proxy before Glance limits the length of requests"
    ),
    (
      .answer(413, headers: ["Server": "nginx", "X-Openstack-Request-Id": "req-1"]), .tooLarge,
      "a quota or the size cap of Glance"
    ),
  ]

  @Test(arguments: texts)
  func `a refusal says who refused and why`(
    _ reply: Reply, code: ImageServiceError.Code, text: String
  ) async throws {
    try await StubServer.run([.token(), Self.put(reply)]) { server in
      let error = try await Fixture.failure { try await Self.upload(server) }
      #expect(error.code == code)
      #expect(error.reason.contains(text))
    }
  }

  @Test func `a store that takes no images is not taken for a deleted image`() async throws {
    let reply = Reply.answer(
      410, headers: ["Content-Type": "text/plain"],
      "Error in store configuration. Adding images to store is disabled.")
    try await StubServer.run([.token(), Self.put(reply), Self.look("queued")]) { server in
      let error = try await Fixture.failure { try await Self.upload(server) }
      #expect(error.code == .conflict)
      #expect(error.reason.contains("takes no new images"))
    }
  }
}
