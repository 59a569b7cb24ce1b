import Libvirt
import Testing

@testable import SnapshotCore

/// `--live`, `--cold` and `--mechanism`, possible and impossible.
@Suite struct OverrideTests {
  static let modes: [(Request.Mode, Situation, Mechanism?)] = [
    (.live, .running, .backup),
    (.live, .paused, .backup),
    (.live, .libvirt34, .rebase),
    (.live, .snapshots, nil),
    (.live, .qemu12, nil),
    (.live, .shutOff, nil),
    (.live, .saved, nil),
    (.live, .crashed, nil),
    (.live, .container, nil),
    (.cold, .running, .managedSave),
    (.cold, .blocked, .managedSave),
    (.cold, .paused, .managedSave),
    (.cold, .logicalVolume, .managedSave),
    (.cold, .hostDevices, .managedSave),
    (.cold, .shutOff, .offline),
    (.cold, .saved, .offline),
    (.cold, .crashed, .offline),
    (.cold, .transient, nil),
    (.cold, .container, nil),
    (.cold, .suspended, nil),
  ]

  @Test(arguments: modes)
  func `--live and --cold leave only their mechanisms`(
    _ mode: Request.Mode, _ situation: Situation, _ mechanism: Mechanism?
  ) throws {
    let request = Request(mode: mode)
    guard let mechanism else {
      let error = try #require(throws: SnapshotError.self) {
        try Decision.plan(situation.facts, request)
      }
      #expect(error.code == .notPossible)
      #expect(
        error.reason.hasPrefix("a \(mode) snapshot (--\(mode)) of server 'fed18' is not possible: ")
      )
      #expect(error.remedy == "Try without --\(mode)")
      return
    }
    let plan = try Decision.plan(situation.facts, request)
    #expect(plan.mechanism == mechanism)
    #expect(plan.reason("mode")?.because == "--\(mode) was given")
  }

  @Test func `a refused --live names live obstacles only`() throws {
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(Situation.shutOff.facts, Request(mode: .live))
    }
    #expect(error.reason.contains("not copy: the server is shut off"))
    #expect(!error.reason.contains("managedSave"))
    #expect(!error.reason.contains("offline"))
  }

  private static let noState = "the server is no state"
  private static let lxc = "the LXC driver can't save a container (stop it first, then it is read "
  private static let tooOld = "QEMU 1.2.2 with libvirt 9.0.0 is older than 1.3 with 1.0.0"
  private static let luks = "disk 'vda' is encrypted (luks) and its secret can't be used here"
  private static let lvm = "disk 'vda' is not a file (block device /dev/vg0/fed18)"
  private static let rbd = "disk 'vda' is not a file (rbd:vms/fed18)"
  private static let unreadable =
    "disk 'vda' is neither file nor block device (rbd:vms/fed18)"
  private static let undefine = "the server must be undefined for it, and "

  /// Each mechanism in each situation: nil where it can be forced, else the exact obstacle.
  static let obstacles: [(Mechanism, Situation, String?)] = [
    (.backup, .running, nil),
    (.backup, .blocked, nil),
    (.backup, .paused, nil),
    (.backup, .rawFile, nil),
    (.backup, .logicalVolume, nil),
    (.backup, .rbd, nil),
    (.backup, .transient, nil),
    (.backup, .libvirt72, nil),
    (
      .backup, .libvirt71,
      "libvirt 7.1.0 with QEMU 4.1.0 is older than 7.2 with 4.2, the first with backup jobs"
    ),
    (
      .backup, .qemu41,
      "libvirt 9.0.0 with QEMU 4.1.0 is older than 7.2 with 4.2, the first with backup jobs"
    ),
    (.backup, .qemu12, tooOld),
    (.backup, .transientDisk, "disk 'vda' is transient"),
    (.backup, .encrypted, luks),
    (.backup, .container, "the LXC driver has no virDomainBackupBegin"),
    (.backup, .shutOff, "the server is shut off"),
    (.backup, .saved, "the server is shut off"),
    (.backup, .crashed, "the server is crashed"),
    (.backup, .suspended, "the server is pmsuspended"),

    (.copy, .running, nil),
    (.copy, .blocked, nil),
    (.copy, .paused, nil),
    (.copy, .rawFile, nil),
    (.copy, .transient, nil),
    (.copy, .libvirt35, nil),
    (.copy, .tpm, "libvirt 3.4.0 is older than 3.5, the first with TRANSIENT_JOB"),
    (.copy, .libvirt34, "libvirt 3.4.999 is older than 3.5, the first with TRANSIENT_JOB"),
    (.copy, .qemu12, tooOld),
    (.copy, .libvirt09, "QEMU 7.2.0 with libvirt 0.9.13 is older than 1.3 with 1.0.0"),
    (.copy, .noBlockJobs, "this QEMU has no block jobs for disk 'vda'"),
    (.copy, .logicalVolume, lvm),
    (.copy, .rbd, rbd),
    (.copy, .volume, "disk 'vda' is not a file (source of type 'volume')"),
    (.copy, .vmdkFile, "a mirror of a vmdk disk has not been proven"),
    (.copy, .transientDisk, "disk 'vda' is transient"),
    (.copy, .encrypted, luks),
    (.copy, .container, "the LXC driver has no virDomainBlockCopy"),
    (.copy, .xen, "the Xen driver has no virDomainBlockCopy"),
    (.copy, .shutOff, "the server is shut off"),
    (.copy, .saved, "the server is shut off"),
    (.copy, .crashed, "the server is crashed"),
    (.copy, .shuttingDown, "the server is in shutdown"),
    (.copy, .suspended, "the server is pmsuspended"),
    (.copy, .noState, noState),

    (.rebase, .running, nil),
    (.rebase, .paused, nil),
    (.rebase, .rawFile, nil),
    (.rebase, .libvirt34, nil),
    (.rebase, .libvirt10, nil),
    (.rebase, .transientOnLibvirt34, nil),
    (.rebase, .tpmOn89, nil),
    (.rebase, .snapshots, undefine + "the metadata of its 2 snapshots would be lost"),
    (.rebase, .checkpoints, undefine + "the metadata of its 1 checkpoints would be lost"),
    (.rebase, .tpmOn88, undefine + "libvirt 8.8.0 would delete its TPM's state"),
    (.rebase, .qemu12, tooOld),
    (.rebase, .noBlockJobs, "this QEMU has no block jobs for disk 'vda'"),
    (.rebase, .logicalVolume, lvm),
    (.rebase, .rbd, rbd),
    (.rebase, .transientDisk, "disk 'vda' is transient"),
    (.rebase, .encrypted, luks),
    (.rebase, .container, "the LXC driver has no virDomainBlockRebase"),
    (.rebase, .shutOff, "the server is shut off"),
    (.rebase, .crashed, "the server is crashed"),

    (.managedSave, .running, nil),
    (.managedSave, .blocked, nil),
    (.managedSave, .paused, nil),
    (.managedSave, .logicalVolume, nil),
    (.managedSave, .qemu12, nil),
    (.managedSave, .noBlockJobs, nil),
    (.managedSave, .snapshots, nil),
    (.managedSave, .tpm, nil),
    (.managedSave, .hostDevices, nil),
    (.managedSave, .vmdkFile, nil),
    (.managedSave, .newVirtiofs, nil),
    (
      .managedSave, .virtiofs,
      "the server has a virtiofs file system, which keeps libvirt from saving it"
    ),
    (
      .managedSave, .transient,
      "the server is transient, and a managed save needs a definition to start again from"
    ),
    (.managedSave, .transientDisk, "disk 'vda' is transient"),
    (.managedSave, .rbd, unreadable),
    (.managedSave, .encrypted, luks),
    (.managedSave, .container, lxc + "offline)"),
    (.managedSave, .stoppedContainer, lxc + "offline)"),
    (.managedSave, .shutOff, "the server is shut off"),
    (.managedSave, .saved, "the server is shut off"),
    (.managedSave, .crashed, "the server is crashed"),
    (.managedSave, .shuttingDown, "the server is in shutdown"),
    (.managedSave, .suspended, "the server is pmsuspended"),

    (.offline, .shutOff, nil),
    (.offline, .crashed, nil),
    (.offline, .saved, nil),
    (.offline, .stoppedContainer, nil),
    (.offline, .shutOffTransientDisk, nil),
    (.offline, .shutOffRBD, unreadable),
    (.offline, .shutOffEncrypted, luks),
    (.offline, .running, "the server is running"),
    (.offline, .blocked, "the server is blocked"),
    (.offline, .paused, "the server is paused"),
    (.offline, .container, "the server is running"),
    (.offline, .shuttingDown, "the server is in shutdown"),
    (.offline, .suspended, "the server is pmsuspended"),
    (.offline, .noState, noState),
  ]

  @Test(arguments: obstacles)
  func `--mechanism is taken where it is possible and refused with its reason elsewhere`(
    _ mechanism: Mechanism, _ situation: Situation, _ obstacle: String?
  ) throws {
    let request = Request(mechanism: mechanism)
    guard let obstacle else {
      let plan = try Decision.plan(situation.facts, request)
      #expect(plan.mechanism == mechanism)
      #expect(plan.reason("mechanism")?.because == "asked for with --mechanism")
      return
    }
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(situation.facts, request)
    }
    #expect(error.code == .notPossible)
    #expect(
      error.reason
        == "mechanism '\(mechanism.rawValue)' is not possible for server 'fed18': \(obstacle)")
    #expect(error.remedy == "Omit --mechanism to have one chosen, or see `--dry-run`")
  }

  @Test(arguments: Mechanism.allCases)
  func `every mechanism can be forced somewhere and is refused somewhere`(_ mechanism: Mechanism) {
    let rows = Self.obstacles.filter { $0.0 == mechanism }
    #expect(rows.contains { $0.2 == nil })
    #expect(rows.contains { $0.2 != nil })
  }

  static let contradictions: [(Request.Mode, Mechanism, String?)] = [
    (.live, .backup, nil),
    (.live, .copy, nil),
    (.live, .rebase, nil),
    (.live, .managedSave, "it is cold and --live was given"),
    (.live, .offline, "it is cold and --live was given"),
    (.cold, .managedSave, nil),
    (.cold, .backup, "it is live and --cold was given"),
    (.cold, .copy, "it is live and --cold was given"),
    (.cold, .rebase, "it is live and --cold was given"),
  ]

  @Test(arguments: contradictions)
  func `--mechanism must not contradict --live and --cold`(
    _ mode: Request.Mode, _ mechanism: Mechanism, _ contradiction: String?
  ) throws {
    let request = Request(mode: mode, mechanism: mechanism)
    guard let contradiction else {
      #expect(try Decision.plan(Situation.running.facts, request).mechanism == mechanism)
      return
    }
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(Situation.running.facts, request)
    }
    #expect(error.reason.hasSuffix(": \(contradiction)"))
  }
}
