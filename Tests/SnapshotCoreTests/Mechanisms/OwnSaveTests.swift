import Libvirt
import Testing

@testable import SnapshotCore

@Suite struct OwnSaveTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let job: JobStatus
    let isOurs: Bool
  }

  static let cases = [
    Case(
      testDescription: "a save that began after ours was asked for",
      job: JobStatus(isSave: true, elapsed: .milliseconds(900)), isOurs: true),
    Case(
      testDescription: "a save that began before",
      job: JobStatus(isSave: true, elapsed: .milliseconds(1100)), isOurs: false),
    Case(
      testDescription: "a dump, migration or backup",
      job: JobStatus(isSave: false, elapsed: .milliseconds(900)), isOurs: false),
    Case(
      testDescription: "a save of an unknown age", job: JobStatus(isSave: true, elapsed: nil),
      isOurs: false),
  ]

  @Test("Only a save that began after ours was asked for is ended", arguments: cases)
  func ours(_ one: Case) {
    let began = ContinuousClock.now
    #expect(OwnSave.isOurs(one.job, at: began + .seconds(1), since: began) == one.isOurs)
  }
}
