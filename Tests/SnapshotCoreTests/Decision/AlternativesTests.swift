import Libvirt
import Testing

@testable import SnapshotCore

/// What else the plan holds ready if its mechanism is refused when it begins.
@Suite struct AlternativesTests {
  static let table: [(Situation, Request, [Mechanism])] = [
    (.running, Request(), [.copy, .rebase]),
    (.paused, Request(mode: .live), [.copy, .rebase]),
    (.libvirt71, Request(), [.rebase]),
    (.snapshots, Request(), []),
    // What the user named is not replaced.
    (.running, Request(mechanism: .backup), []),
    (.running, Request(mode: .cold), []),
    (.shutOff, Request(), []),
    // A mirror of a block device has nowhere to go, and a guest is never stopped instead.
    (.logicalVolume, Request(), []),
    (.rbd, Request(), []),
    (.fleetingTPM, Request(), [.copy]),
    (.lastingTPM, Request(), [.copy, .rebase]),
  ]

  @Test(arguments: table)
  func `only live mechanisms replace a live one`(
    _ situation: Situation, _ request: Request, _ mechanisms: [Mechanism]
  ) throws {
    let plan = try Decision.plan(situation.facts, request)
    #expect(plan.alternatives.map(\.mechanism) == mechanisms)
    #expect(
      plan.reason("otherwise")?.choice
        == (mechanisms.isEmpty ? nil : mechanisms.map(\.rawValue).joined(separator: ", ")))
    for other in plan.alternatives {
      #expect(other.disk == plan.disk && other.format == plan.format)
      #expect(other.delivery == plan.delivery && other.downtime == .none)
    }
  }

  @Test(
    arguments: [
      (.fleetingTPM, "its TPM's state would be lost (no <backend persistent_state='yes'/>)"),
      (.tpmOn88, "libvirt 8.8.0 would delete its TPM's state"),
      (.uefiOn22, "libvirt 2.2.0 is older than 2.3, the first that can keep its UEFI variables"),
    ] as [(Situation, String)])
  func `rebase is refused where undefining could lose something`(
    _ situation: Situation, _ reason: String
  ) throws {
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(situation.facts, Request(mechanism: .rebase))
    }
    #expect(error.code == .notPossible && error.reason.contains(reason), "\(error)")
  }

  @Test func `rebase is possible with a TPM whose state persists`() throws {
    let plan = try Decision.plan(Situation.lastingTPM.facts, Request(mechanism: .rebase))
    #expect(plan.mechanism == .rebase)
  }

  @Test func `an emulator without backup jobs is named`() throws {
    let plan = try Decision.plan(Situation.noBackupJobs.facts, Request())
    #expect(
      plan.reason("mechanism")?.because
        == "not backup: /opt/old/qemu has no backup jobs, by libvirt's domain capabilities")
  }

  @Test func `an agent whose answer cannot be bounded is not asked`() throws {
    let facts = ServerFixture.facts {
      $0.domain.agent = .connected
      $0.daemonVersion = Version(5, 9)
    }
    let plan = try Decision.plan(facts, Request())
    #expect(plan.quiesce == .none)
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(facts, Request(quiesce: .require))
    }
    #expect(error.code == .notQuiesced && error.reason.contains("older than 5.10"))
  }
}
