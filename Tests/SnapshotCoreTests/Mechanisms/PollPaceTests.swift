import Testing

@testable import SnapshotCore

@Suite struct PollPaceTests {
  @Test func `looks are close together at first, and at most two seconds apart`() {
    var pace = PollPace()
    let pauses = (0..<100).map { _ in pace.next() }
    #expect(pauses.prefix(10).allSatisfy { $0 == .milliseconds(100) })
    #expect(pauses == pauses.sorted())
    #expect(pauses.last == .seconds(2))
  }

  @Test func `an hour takes fewer than 2,000 looks`() {
    var pace = PollPace()
    var passed = Duration.zero
    var looks = 0
    while passed < .seconds(3600) {
      passed += pace.next()
      looks += 1
    }
    #expect(looks < 2000)
  }
}
