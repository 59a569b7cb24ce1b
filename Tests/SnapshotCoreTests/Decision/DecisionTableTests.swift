import Libvirt
import Testing

@testable import SnapshotCore

/// The decision table of DESIGN.md, row by row, with nothing asked for.
@Suite struct DecisionTableTests {
  static let table: [(Situation, Mechanism?)] = [
    // Running or paused, QEMU driver, libvirt >= 7.2 and QEMU >= 4.2.
    (.running, .backup),
    (.blocked, .backup),
    (.paused, .backup),
    (.libvirt72, .backup),
    (.rawFile, .backup),
    (.vmdkFile, .backup),
    (.transient, .backup),
    (.noBlockJobs, .backup),
    (.tpmOn88, .backup),
    (.tpmOn89, .backup),
    (.hostDevices, .backup),
    (.fleetingTPM, .backup),
    (.ownEmulator, .backup),
    (.noBackupJobs, .copy),
    // The same on a block device or RBD.
    (.logicalVolume, .backup),
    (.rbd, .backup),
    (.volume, .backup),
    (.transientBlock, .backup),
    // Older libvirt or QEMU, disk is a file.
    (.libvirt71, .copy),
    (.qemu41, .copy),
    (.libvirt35, .copy),
    (.libvirt34, .rebase),
    (.libvirt10, .rebase),
    (.transientOnLibvirt34, .rebase),
    // What must not be undefined is saved instead.
    (.snapshots, .managedSave),
    (.checkpoints, .managedSave),
    (.tpm, .managedSave),
    (.uefiOn22, .managedSave),
    (.uefiOn23, .rebase),
    // Too old, or no block jobs at all.
    (.qemu12, .managedSave),
    (.libvirt09, .managedSave),
    (.oldNoBlockJobs, .managedSave),
    (.oldVMDK, .managedSave),
    (.oldLogicalVolume, .managedSave),
    // Nothing runs.
    (.shutOff, .offline),
    (.crashed, .offline),
    (.saved, .offline),
    (.stoppedContainer, .offline),
    (.shutOffTransientDisk, .offline),
    // What nobody can take here.
    (.shuttingDown, nil),
    (.suspended, nil),
    (.noState, nil),
    (.container, nil),
    (.encrypted, nil),
    (.shutOffEncrypted, nil),
    (.shutOffRBD, nil),
    (.oldRBD, nil),
    (.oldTransientBlock, nil),
    (.transientDisk, nil),
  ]

  @Test(arguments: table)
  func `a server in a situation gets its mechanism, or a refusal`(
    _ situation: Situation, _ mechanism: Mechanism?
  ) throws {
    guard let mechanism else {
      let error = try #require(throws: SnapshotError.self) {
        try Decision.plan(situation.facts, Request())
      }
      #expect(error.code == .notPossible)
      #expect(error.reason.hasPrefix("a snapshot of server 'fed18' is not possible: not "))
      return
    }
    let plan = try Decision.plan(situation.facts, Request())
    #expect(plan.mechanism == mechanism)
    #expect(plan.mode == (mechanism.isLive ? "live" : "cold"))
    #expect(plan.reason("mechanism")?.choice == mechanism.rawValue)
    #expect(plan.reason("mode")?.choice == plan.mode)
  }

  @Test func `every situation of the table is another one`() {
    let names = Self.table.map(\.0.testDescription)
    #expect(Set(names).count == names.count)
  }

  static let modes: [(Situation, String)] = [
    (.running, "the server is running"),
    (.paused, "the server is paused"),
    (.qemu12, "no live mechanism is possible"),
    (.shutOff, "the server is shut off"),
    (.crashed, "the server is crashed"),
    (.saved, "the server is shut off with a managed save image, which stays as it is"),
  ]

  @Test(arguments: modes)
  func `live or cold is explained`(_ situation: Situation, because: String) throws {
    let plan = try Decision.plan(situation.facts, Request())
    #expect(plan.reason("mode")?.because == because)
  }

  @Test func `a mechanism that was not the first choice names every one that was better`() throws {
    let plan = try Decision.plan(Situation.snapshots.facts, Request())
    #expect(
      plan.reason("mechanism")?.because
        == "not backup: libvirt 3.4.0 with QEMU 7.2.0 is older than 7.2 with 4.2, the first with "
        + "backup jobs; not copy: libvirt 3.4.0 is older than 3.5, the first with "
        + "TRANSIENT_JOB; not rebase: the server must be undefined for it, and the metadata of "
        + "its 2 snapshots would be lost")
  }

  @Test func `the first choice says so`() throws {
    let plan = try Decision.plan(Situation.running.facts, Request())
    #expect(plan.reason("mechanism")?.because == "the first choice")
  }

  @Test func `a refusal names the obstacle of every mechanism`() throws {
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(Situation.shuttingDown.facts, Request())
    }
    for mechanism in Mechanism.preference {
      #expect(error.reason.contains("not \(mechanism.rawValue): the server is in shutdown"))
    }
  }

  @Test(
    arguments: [
      (.shuttingDown, "Try again when the server runs or is shut off"),
      (.transientDisk, "Shut the server down and try again"),
      (.shutOffRBD, "Start the server and try again, or take another disk with --disk"),
      (.encrypted, "Take another disk with --disk"),
    ] as [(Situation, String)])
  func `a refusal says what helps`(_ situation: Situation, _ remedy: String) throws {
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(situation.facts, Request())
    }
    #expect(error.remedy == remedy)
  }

  @Test func `every mechanism has its place in the order of preference`() {
    #expect(Set(Mechanism.preference) == Set(Mechanism.allCases))
    #expect(Mechanism.preference.count == Mechanism.allCases.count)
    let firstCold = Mechanism.preference.firstIndex { !$0.isLive }
    let lastLive = Mechanism.preference.lastIndex { $0.isLive }
    #expect((lastLive ?? .max) < (firstCold ?? .min), "live comes before cold")
  }

  static let downtimes: [(Situation, Request, Plan.Downtime, String)] = [
    (
      .running, Request(), .none,
      "the guest goes on while its disk is read as it was at the beginning"
    ),
    (.libvirt71, Request(), .none, "the guest goes on while its disk is mirrored"),
    (.libvirt34, Request(), .none, "the guest goes on while its disk is mirrored"),
    (
      .qemu12, Request(), .untilRead,
      "the guest is saved, its disk converted, and it starts again before the upload"
    ),
    (
      .running, Request(mode: .cold, delivery: .stream), .untilSent,
      "the guest is saved, and starts again after the upload (--stream)"
    ),
    (.clonable, Request(mode: .cold), .untilCloned, cloned),
    (.clonable, Request(mode: .cold, delivery: .spool), .untilCloned, cloned),
    (
      .clonable, Request(), .none,
      "the guest goes on while its disk is read as it was at the beginning"
    ),
    (.shutOff, Request(), .none, "nothing runs and nothing is started"),
  ]
  private static let cloned =
    "the spool folder is on the disk's own file system, which has reflinks: the guest is saved and "
    + "starts again at once"

  @Test(arguments: downtimes)
  func `the downtime is announced`(
    _ situation: Situation, _ request: Request, _ downtime: Plan.Downtime, because: String
  ) throws {
    let plan = try Decision.plan(situation.facts, request)
    #expect(plan.downtime == downtime)
    #expect(plan.reason("downtime")?.choice == downtime.rawValue)
    #expect(plan.reason("downtime")?.because == because)
  }

  private static let file = "qemu-img convert writes one flat file, which is then sent"
  private static let streamed =
    "the image is made while the disk is read and sent, without a file"

  static let deliveries: [(Situation, Request, Plan.Delivery, String)] = [
    (.running, Request(), .stream, streamed),
    (.rawFile, Request(), .stream, streamed),
    (.running, Request(format: .raw), .stream, streamed),
    (
      .running, Request(format: ImageFormat(name: "vmdk")), .spool,
      "vmdk can't be streamed: \(file)"
    ),
    (.running, Request(delivery: .spool), .spool, "--spool was given: \(file)"),
    (
      .running, Request(delivery: .stream), .stream,
      "--stream was given: the image is made while the disk is read and sent"
    ),
    (
      .running, Request(compresses: true), .spool,
      "a compressed image can't be streamed: \(file)"
    ),
    (.running, Request(mechanism: .copy), .stream, streamed),
    (.libvirt34, Request(), .stream, streamed),
    (
      .running, Request(mode: .cold), .spool,
      "the server starts again as soon as its disk is read: \(file)"
    ),
    (.clonable, Request(mode: .cold), .stream, streamed),
    (.shutOff, Request(), .stream, streamed),
  ]

  @Test(arguments: [
    (Request(format: ImageFormat(name: "vdi"), delivery: .stream), "vdi can't be streamed"),
    (Request(delivery: .stream, compresses: true), "a compressed image can't be streamed"),
  ])
  func `what can't be streamed is refused with --stream`(_ request: Request, reason: String) throws
  {
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(Situation.running.facts, request)
    }
    #expect(error.code == .notPossible)
    #expect(error.reason.hasSuffix(reason))
  }

  @Test func `a compressed image is qcow2`() throws {
    let plan = try Decision.plan(Situation.rawFile.facts, Request(compresses: true))
    #expect(plan.format == .qcow2 && plan.compresses)
    #expect(plan.reason("format")?.because == "--compress was given")
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(Situation.running.facts, Request(format: .raw, compresses: true))
    }
    #expect(error.code == .badFormat)
  }

  @Test(arguments: deliveries)
  func `the image is streamed where that is possible, else spooled`(
    _ situation: Situation, _ request: Request, _ delivery: Plan.Delivery, because: String
  ) throws {
    let plan = try Decision.plan(situation.facts, request)
    #expect(plan.delivery == delivery)
    #expect(plan.reason("delivery")?.choice == delivery.rawValue)
    #expect(plan.reason("delivery")?.because == because)
  }

  @Test func `host devices are detached for a managed save only`() throws {
    let facts = Situation.hostDevices.facts
    let live = try Decision.plan(facts, Request())
    #expect(live.hostDevices.isEmpty)
    #expect(live.reason("host devices") == nil)
    let cold = try Decision.plan(facts, Request(mode: .cold))
    #expect(cold.hostDevices == [ServerFixture.hostDevice])
    #expect(cold.reason("host devices")?.choice == "pci 0000:03:00:0")
  }

  @Test func `the plan carries the disk and its size`() throws {
    let plan = try Decision.plan(Situation.running.facts, Request())
    #expect(plan.disk == Situation.running.facts.root)
    #expect(plan.virtualSize == 5 << 30)
    #expect(
      plan.reasons.map(\.topic)
        == [
          "mode", "mechanism", "quiesce", "disk", "format", "delivery", "downtime", "scratch file",
          "otherwise",
        ])
  }
}
