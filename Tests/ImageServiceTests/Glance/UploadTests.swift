import Foundation
import ImageService
import Synchronization
import Testing

@Suite struct UploadTests {
  static let path = "/v2/images/\(Fixture.id)/file"
  static let imagePath = "/v2/images/\(Fixture.id)"
  static let id = Fixture.imageID

  static func failure(
    _ server: StubServer, _ body: PatternBody, limits: TimeLimits = Fixture.limits
  ) async throws -> ImageServiceError {
    let store = try Fixture.glance(server, limits: limits)
    return try await Fixture.failure { try await store.upload(id, body: body) { _ in } }
  }

  @Test(arguments: [0, 1, 65_536, 1_048_577, 3_000_000])
  func everyByteArrivesAndIsHashed(length: Int) async throws {
    let body = PatternBody(length)
    let last = Mutex<Int64>(0)
    let seen = try await StubServer.run([.token(), Step("PUT", Self.path, .answer(204))]) {
      let receipt = try await Fixture.glance($0).upload(Self.id, body: body) { count in
        last.withLock { $0 = count }
      }
      #expect(receipt == Fixture.receipt(body.data))
    }
    #expect(last.withLock { $0 } == Int64(length))
    #expect(seen[1].body == body.data)
    #expect(seen[1].isComplete)
    #expect(seen[1].headers["content-type"] == "application/octet-stream")
    #expect(seen[1].headers["x-openstack-image-size"] == "\(length)")
    #expect(seen[1].headers["transfer-encoding"] == "chunked")
    #expect(seen[1].headers["content-length"] == nil)
  }

  @Test func aBodyOfUnknownLengthHasNoSizeHeader() async throws {
    var body = PatternBody(200_000)
    body.announced = nil
    let seen = try await StubServer.run([.token(), Step("PUT", Self.path, .answer(204))]) {
      _ = try await Fixture.glance($0).upload(Self.id, body: body) { _ in }
    }
    #expect(seen[1].headers["x-openstack-image-size"] == nil)
    #expect(seen[1].body.count == 200_000)
  }

  static let statuses: [(Int, ImageServiceError.Code, String)] = [
    (400, .badRequest, "another number of bytes"),
    (403, .forbidden, "policy"),
    (404, .imageGone, "someone deleted it"),
    (409, .conflict, "not queued"),
    (410, .imageGone, "someone deleted it"),
    (413, .tooLarge, "quota"),
    (415, .unsupportedMedia, "disk_format"),
    (500, .unavailable, "failed"),
    (503, .unavailable, "failed"),
    (418, .badAnswer, "does not give"),
  ]

  @Test(arguments: statuses)
  func aRefusalAfterTheBodySaysWhatItMeans(
    status: Int, code: ImageServiceError.Code, text: String
  ) async throws {
    let isAsked = ![400, 403, 404, 413, 415].contains(status)
    let look = Step("GET", Self.imagePath, .json(200, Fixture.record(status: "queued")))
    try await StubServer.run(
      [.token(), Step("PUT", Self.path, .html(status, "Title", "the detail"))]
        + (isAsked ? [look] : [])
    ) {
      let error = try await Self.failure($0, PatternBody(200_000))
      #expect(error.code == code)
      #expect(error.reason.contains(text))
      #expect(error.reason.contains("the detail"))
      #expect(error.reason.contains("\($0.url)\(Self.path)"))
      #expect(!error.remedy.isEmpty)
    }
  }

  @Test(arguments: [403, 409, 413, 415, 503], [0, 500_000])
  func aRefusalInTheMiddleOfTheBodyIsReadAndNotTakenForABrokenPipe(
    status: Int, afterBytes: Int
  ) async throws {
    let seen = try await StubServer.run([
      .token(), Step("PUT", Self.path, .early(status, afterBodyBytes: afterBytes, "no")),
    ]) {
      let error = try await Self.failure($0, PatternBody(20_000_000))
      #expect(error.code == Self.statuses.first { $0.0 == status }?.1)
    }
    #expect(!seen[1].isComplete)
  }

  @Test(arguments: [0, 300_000], ["Keystone uri='http://h'", #"Basic realm="proxy""#])
  func aRefusedTokenIsRenewedAndEverythingSentAgain(
    afterBytes: Int, challenge: String
  ) async throws {
    let body = PatternBody(20_000_000)
    let seen = try await StubServer.run([
      .token("old"),
      Step(
        "PUT", Self.path,
        .early(401, afterBodyBytes: afterBytes, headers: ["WWW-Authenticate": challenge])),
      .token("new"), Step("PUT", Self.path, .answer(204)),
    ]) {
      let receipt = try await Fixture.glance($0).upload(Self.id, body: body) { _ in }
      #expect(receipt.byteCount == 20_000_000)
    }
    let complete = try #require(seen.last)
    #expect(complete.headers["x-auth-token"] == "new")
    #expect(complete.body == body.data)
  }

  @Test func aTokenRefusedTwiceIsUnauthorized() async throws {
    let refusal = Step("PUT", Self.path, .early(401, afterBodyBytes: 0))
    try await StubServer.run([.token("old"), refusal, .token("new"), refusal]) {
      let error = try await Self.failure($0, PatternBody(20_000_000))
      #expect(error.code == .unauthorized)
    }
  }

  @Test func aTokenThatEndsSoonIsRenewedBefore() async throws {
    let seen = try await StubServer.run([
      .token("short", lifetime: 100),
      Step("DELETE", "/v2/images/\(Fixture.id)", .answer(204)),
      .token("long"), Step("PUT", Self.path, .answer(204)),
    ]) {
      let store = try Fixture.glance($0)
      try await store.delete(Self.id)
      _ = try await store.upload(Self.id, body: PatternBody(1000)) { _ in }
    }
    #expect(seen[1].headers["x-auth-token"] == "short")
    #expect(seen[3].headers["x-auth-token"] == "long")
  }

  @Test(arguments: [(500_000, "saving"), (nil, "queued")] as [(Int?, String)])
  func aConnectionThatBreaksEarlyIsAskedForTheReason(afterBytes: Int?, status: String) async throws
  {
    let seen = try await StubServer.run([
      .token(), Step("PUT", Self.path, .hangUp(afterBodyBytes: afterBytes)),
      Step("GET", Self.imagePath, .json(200, Fixture.record(status: status))),
      Step("PUT", Self.path, .early(413, afterBodyBytes: 0)),
    ]) {
      let error = try await Self.failure($0, PatternBody(5_000_000))
      #expect(error.code == .tooLarge)
    }
    #expect(seen[1].headers["expect"] != "100-continue")
    #expect(seen[3].headers["expect"] == "100-continue")
  }

  @Test(arguments: [404, 410], [1000, 30_000_000])
  func aConnectionThatBreaksBecauseTheImageIsGoneIsNotTriedAgain(
    status: Int, afterBytes: Int
  ) async throws {
    try await StubServer.run([
      .token(), Step("PUT", Self.path, .hangUp(afterBodyBytes: afterBytes)),
      Step("GET", Self.imagePath, .answer(status)),
    ]) {
      let error = try await Self.failure($0, PatternBody(40_000_000))
      #expect(error.code == .imageGone)
      #expect(!error.isTransient)
      #expect(error.reason.contains("image \(Fixture.id) does not exist any more"))
    }
  }

  @Test(arguments: ["saving", "queued"])
  func anImageThatTheBrokenUploadHoldsIsNoRefusal(status: String) async throws {
    try await StubServer.run([
      .token(), Step("PUT", Self.path, .hangUp(afterBodyBytes: 1000)),
      Step("GET", Self.imagePath, .json(200, Fixture.record(status: status))),
      Step("PUT", Self.path, .early(409, afterBodyBytes: 0)),
    ]) {
      let error = try await Self.failure($0, PatternBody(5_000_000))
      #expect(error.code == .connectionLost)
      #expect(error.isTransient)
    }
  }

  @Test func aConnectionThatBreaksLateIsNotTriedAgain() async throws {
    try await StubServer.run([
      .token(), Step("PUT", Self.path, .hangUp(afterBodyBytes: 30_000_000)),
      Step("GET", Self.imagePath, .json(200, Fixture.record(status: "saving"))),
    ]) {
      let error = try await Self.failure($0, PatternBody(40_000_000))
      #expect(error.code == .connectionLost)
      #expect(error.isTransient)
      #expect(error.reason.contains("bytes"))
    }
  }

  @Test(arguments: [0, 700_000, 2_999_999])
  func aBodyThatCannotBeReadAbortsTheConnection(failsAt: Int) async throws {
    let script: [Step] = [.token(), Step("PUT", Self.path, .answer(204))]
    let seen = try await StubServer.run(script, lastMayBreakOff: true) {
      let error = try await Self.failure($0, PatternBody(3_000_000, failsAt: failsAt))
      #expect(error.code == .bodyFailed)
      #expect(error.cause is PatternBody.Broken)
    }
    // No last chunk: Glance would make an image of what it has.
    #expect(seen.count < 2 || !seen[1].isComplete)
  }

  @Test(arguments: [(1000, 2000), (2000, 1000)])
  func aBodyThatIsNotAsLongAsAnnouncedAbortsTheConnection(
    length: Int, announced: Int
  ) async throws {
    let script: [Step] = [.token(), Step("PUT", Self.path, .answer(204))]
    let seen = try await StubServer.run(script, lastMayBreakOff: true) {
      let body = PatternBody(length, announced: Int64(announced))
      let error = try await Self.failure($0, body)
      #expect(error.code == .bodyFailed)
      #expect(error.reason.contains("\(announced)"))
    }
    #expect(seen.count < 2 || !seen[1].isComplete)
  }

  @Test func successBeforeTheEndOfTheBodyIsNotBelieved() async throws {
    try await StubServer.run([
      .token(), Step("PUT", Self.path, .early(204, afterBodyBytes: 100_000)),
    ]) {
      let error = try await Self.failure($0, PatternBody(20_000_000, delay: 0.001))
      #expect([.badAnswer, .connectionLost].contains(error.code))
    }
  }

  @Test func aCancelledUploadEndsAtOnce() async throws {
    let seen = try await StubServer.run([.token(), Step("PUT", Self.path, .answer(204))]) {
      let store = try Fixture.glance($0)
      let (started, start) = AsyncStream<Void>.makeStream()
      let task = Task {
        try await Fixture.failure {
          try await store.upload(Self.id, body: PatternBody(50_000_000, delay: 0.05)) { _ in
            start.yield()
          }
        }
      }
      for await _ in started { break }
      let clock = ContinuousClock.now
      task.cancel()
      let error = try await task.value
      #expect(error.code == .cancelled)
      #expect(.now - clock < .seconds(20))
    }
    #expect(!seen[1].isComplete)
  }
}
