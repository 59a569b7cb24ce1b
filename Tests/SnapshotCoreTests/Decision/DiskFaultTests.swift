import Testing

@testable import SnapshotCore

/// What a disk's own files have to do with the choice of a mechanism.
@Suite struct DiskFaultTests {
  @Test func `a running QEMU offers a disk whose files we must not open`() throws {
    #expect(try Decision.plan(Situation.unreadable.facts, Request()).mechanism == .backup)
  }

  /// Every way that opens the files.
  static let refused: [(Situation, Request)] = [
    (.unreadable, Request(mode: .cold)),
    (.unreadable, Request(mechanism: .copy)),
    (.unreadable, Request(mechanism: .rebase)),
    (.unreadable, Request(mechanism: .managedSave)),
    (.shutOffUnreadable, Request()),
    (.shutOffUnreadable, Request(mechanism: .offline)),
  ]

  @Test(arguments: refused)
  func `what opens the files is refused with what is wrong with them`(
    _ situation: Situation, _ request: Request
  ) throws {
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(situation.facts, request)
    }
    #expect(error.code == .unreadableDisk)
    #expect(error.reason == "/images/vda.qcow2 is odd")
    #expect(error.remedy == "Convert it first")
  }

  @Test func `another obstacle is not hidden by the fault of the files`() throws {
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(Situation.shutOffUnreadable.facts, Request(mechanism: .copy))
    }
    #expect(error.code == .notPossible)
    #expect(error.reason.hasSuffix("the server is shut off"))
  }

  @Test(
    arguments: [
      (Request(), 5), (Request(mechanism: .copy), 5), (Request(mode: .cold), 6),
    ] as [(Request, UInt64)])
  func `a live way takes the size that QEMU knows and a cold one that of the file`(
    _ request: Request, gibibytes: UInt64
  ) throws {
    #expect(try Decision.plan(Situation.grown.facts, request).virtualSize == gibibytes << 30)
  }

  @Test func `the plan says how large a scratch file may become`() throws {
    let reason = try Decision.plan(Situation.running.facts, Request()).reason("scratch file")
    #expect(reason?.choice == "up to 5368709120 bytes")
    #expect(
      try Decision.plan(Situation.shutOff.facts, Request()).reason("scratch file") == nil)
  }
}
