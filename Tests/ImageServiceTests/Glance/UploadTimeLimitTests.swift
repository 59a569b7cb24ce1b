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
    let outcome = await Transport(limits: limits, logger: Fixture.quiet)
      .upload(request, body: body) { _ in }
    _ = try outcome.result.get()
    return outcome.receipt
  }

  @Test func aServiceThatTakesNoMoreBytesTimesOut() async throws {
    var limits = Fixture.limits
    limits.stall = .seconds(2)
    try await StubServer.run([Step("PUT", Self.path, .stall(afterBodyBytes: 100_000))]) { server in
      let error = try await Fixture.failure {
        try await Self.upload(server, PatternBody(30_000_000), limits: limits)
      }
      #expect(error.code == .timedOut)
      #expect(error.reason.contains("took no bytes for 2 s"))
    }
  }

  @Test func aSlowDiskIsNotTakenForASlowNetwork() async throws {
    var limits = Fixture.limits
    limits.stall = .seconds(3)
    try await StubServer.run([Step("PUT", Self.path, .answer(204))]) { server in
      let body = PatternBody(50_000, firstDelay: 4)
      let receipt = try await Self.upload(server, body, limits: limits)
      #expect(receipt == Fixture.receipt(body.data))
    }
  }

  @Test func anAnswerThatNeverComesTimesOut() async throws {
    var limits = Fixture.limits
    limits.patience = .seconds(2)
    try await StubServer.run([Step("PUT", Self.path, .silence)]) { server in
      let error = try await Fixture.failure {
        try await Self.upload(server, PatternBody(1000), limits: limits)
      }
      #expect(error.code == .timedOut)
      #expect(error.reason.contains("no answer within 2 s after 1000 bytes"))
    }
  }
}
