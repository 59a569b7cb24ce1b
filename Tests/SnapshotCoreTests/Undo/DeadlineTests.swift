import Synchronization
import Testing

@testable import SnapshotCore

@Suite struct DeadlineTests {
  private struct Broken: Error {}

  @Test func `what ends in time has ended`() async throws {
    let ran = Mutex(false)
    try await Deadline.run(.seconds(60), "do it") { ran.withLock { $0 = true } }
    #expect(ran.withLock { $0 })
  }

  @Test func `an error comes through as it is`() async {
    await #expect(throws: Broken.self) {
      try await Deadline.run(.seconds(60), "do it") { throw Broken() }
    }
  }

  @Test func `what hangs is given up and cancelled`() async throws {
    let wasCancelled = Mutex(false)
    let start = ContinuousClock.now
    let error = await #expect(throws: Deadline.Passed.self) {
      try await Deadline.run(.milliseconds(30), "thaw the guest") {
        do {
          try await Task.sleep(for: .seconds(600))
        } catch {
          wasCancelled.withLock { $0 = true }
          throw error
        }
      }
    }
    // A busy machine is slow; 600 s would be the end of the sleep.
    #expect(ContinuousClock.now - start < .seconds(60))
    #expect(error?.purpose == "thaw the guest")
    while !wasCancelled.withLock({ $0 }) { await Task.yield() }
  }

  @Test func `what can't be cancelled is left behind, and its end later does no harm`()
    async throws
  {
    let release = Mutex(false)
    let ended = Mutex(false)
    await #expect(throws: Deadline.Passed.self) {
      try await Deadline.run(.milliseconds(30), "hang") {
        while !release.withLock({ $0 }) { await Task.yield() }
        ended.withLock { $0 = true }
      }
    }
    #expect(!ended.withLock { $0 })
    release.withLock { $0 = true }
    while !ended.withLock({ $0 }) { await Task.yield() }
  }

  @Test func `the limit and the purpose are said`() {
    let passed = Deadline.Passed(limit: .seconds(120), purpose: "thaw the guest's file systems")
    #expect(passed.description == "no answer within 120 s: thaw the guest's file systems")
  }

  @Test func `every action has a limit of at least what its call may take`() {
    for action in UndoActionTests.all {
      #expect(action.limit >= .seconds(60), "\(action)")
      #expect(action.limit <= .seconds(action == .start() ? 3600 : 120), "\(action)")
    }
  }
}
