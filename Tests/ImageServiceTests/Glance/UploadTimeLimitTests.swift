import Foundation
import Testing

@testable import ImageService

/// These limits are short, so there is no other request here that could exceed them.
@Suite struct UploadTimeLimitTests {
  static let path = "/v2/images/\(Fixture.id)/file"

  static func upload(
    _ server: StubServer, _ body: PatternBody, limits: TimeLimits
  ) async throws -> Receipt? {
    let request = HTTPRequest(
      method: "PUT", url: try #require(URL(string: server.url + path)), token: Secret("t"))
    return try await Transport(limits: limits, logger: Fixture.quiet)
      .upload(request, body: body) { _ in }.1
  }

  @Test func aServiceThatTakesNoMoreBytesTimesOut() async throws {
    var limits = Fixture.limits
    limits.idle = .seconds(2)
    try await StubServer.run([Step("PUT", Self.path, .stall(afterBodyBytes: 100_000))]) { server in
      let error = try await Fixture.failure {
        try await Self.upload(server, PatternBody(30_000_000), limits: limits)
      }
      #expect(error.code == .timedOut)
      #expect(error.reason.contains("took no bytes for 2.0 seconds"))
    }
  }

  @Test func aSlowDiskIsNotTakenForASlowNetwork() async throws {
    var limits = Fixture.limits
    limits.idle = .seconds(3)
    try await StubServer.run([Step("PUT", Self.path, .answer(204))]) { server in
      let body = PatternBody(50_000, firstDelay: 4)
      let receipt = try await Self.upload(server, body, limits: limits)
      #expect(receipt == Fixture.receipt(body.data))
    }
  }

  @Test func anAnswerThatNeverComesTimesOut() async throws {
    var limits = Fixture.limits
    limits.uploadAnswer = .seconds(2)
    try await StubServer.run([Step("PUT", Self.path, .silence)]) { server in
      let error = try await Fixture.failure {
        try await Self.upload(server, PatternBody(1000), limits: limits)
      }
      #expect(error.code == .timedOut)
      #expect(error.reason.contains("no answer within 2.0 seconds after 1000 bytes"))
    }
  }
}
