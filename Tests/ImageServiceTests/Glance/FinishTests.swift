import Foundation
import ImageService
import Testing

@Suite struct FinishTests {
  static let path = "/v2/images/\(Fixture.id)"
  static let receipt = Receipt(byteCount: 1000, hash: String(repeating: "ab", count: 64))

  static func look(_ status: String, _ size: Int? = nil, sha512: String? = nil) -> Step {
    Step("GET", path, .json(200, Fixture.record(status: status, size: size, sha512: sha512)))
  }

  static var active: Step { look("active", 1000, sha512: receipt.hash) }

  static func failure(
    _ server: StubServer, limits: TimeLimits = Fixture.limits
  ) async throws -> ImageServiceError {
    let store = try Fixture.glance(server, limits: limits)
    return try await Fixture.failure { try await store.finish(Fixture.imageID, receipt: receipt) }
  }

  @Test func anImageIsWaitedForUntilItIsActive() async throws {
    try await StubServer.run([
      .token(), Self.look("saving"), Self.look("importing"), Self.look("something_new"),
      Step("GET", Self.path, .answer(503)), Step("GET", Self.path, .hangUp(afterBodyBytes: nil)),
      Self.active,
    ]) {
      let record = try await Fixture.glance($0).finish(Fixture.imageID, receipt: Self.receipt)
      #expect(record.status == .active)
      #expect(record.size == 1000)
    }
  }

  @Test(arguments: [
    ("killed", ImageServiceError.Code.imageKilled), ("deleted", .imageGone),
    ("pending_delete", .imageGone), ("queued", .imageRequeued), ("deactivated", .imageDeactivated),
  ])
  func aStatusThatCannotBecomeActiveIsAnErrorAtOnce(
    status: String, code: ImageServiceError.Code
  ) async throws {
    try await StubServer.run([.token(), Self.look("saving"), Self.look(status)]) {
      let error = try await Self.failure($0)
      #expect(error.code == code)
      #expect(error.reason.contains(Fixture.id))
    }
  }

  @Test(arguments: [404, 410])
  func anImageDeletedMeanwhileIsGone(status: Int) async throws {
    try await StubServer.run([.token(), Step("GET", Self.path, .answer(status))]) {
      let error = try await Self.failure($0)
      #expect(error.code == .imageGone)
    }
  }

  @Test func anotherHashIsAnError() async throws {
    let other = String(repeating: "cd", count: 64)
    try await StubServer.run([.token(), Self.look("active", 1000, sha512: other)]) {
      let error = try await Self.failure($0)
      #expect(error.code == .hashMismatch)
      #expect(error.reason.contains("cdcdcd"))
      #expect(error.reason.contains("ababab"))
    }
  }

  @Test(arguments: [999, nil] as [Int?])
  func anotherSizeIsAnError(size: Int?) async throws {
    try await StubServer.run([
      .token(), Self.look("active", size, sha512: Self.receipt.hash),
    ]) {
      let error = try await Self.failure($0)
      #expect(error.code == .sizeMismatch)
      #expect(error.reason.contains("1000"))
    }
  }

  @Test func aHashInCapitalsIsTheSameHash() async throws {
    try await StubServer.run([
      .token(), Self.look("active", 1000, sha512: Self.receipt.hash.uppercased()),
    ]) {
      _ = try await Fixture.glance($0).finish(Fixture.imageID, receipt: Self.receipt)
    }
  }

  @Test func anImageThatDoesNotChangeTimesOut() async throws {
    var limits = Fixture.limits
    limits.patience = .milliseconds(50)
    limits.firstPause = .milliseconds(200)
    limits.longestPause = .milliseconds(200)
    try await StubServer.run([.token(), Self.look("saving"), Self.look("saving")]) {
      let error = try await Self.failure($0, limits: limits)
      #expect(error.code == .imageUnsettled)
      #expect(error.reason.contains("saving"))
    }
  }

  @Test func aWaitCanBeCancelled() async throws {
    var limits = Fixture.limits
    limits.firstPause = .seconds(20)
    try await StubServer.run([.token(), Self.look("saving")]) {
      let store = try Fixture.glance($0, limits: limits)
      let task = Task {
        try await Fixture.failure {
          try await store.finish(Fixture.imageID, receipt: Self.receipt)
        }
      }
      while $0.openStepCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
      task.cancel()
      let error = try await task.value
      #expect(error.code == .cancelled)
    }
  }
}
