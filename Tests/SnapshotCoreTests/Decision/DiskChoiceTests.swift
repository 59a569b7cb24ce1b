import Libvirt
import Testing

@testable import SnapshotCore

/// Which disk is taken, in which format, and when it must be left alone.
@Suite struct DiskChoiceTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let disks: [DiskDescription]
    var wanted: String?
    let target: String
    let because: String

    init(
      _ description: String, _ disks: [DiskDescription], wanted: String? = nil, target: String,
      because: String
    ) {
      testDescription = description
      self.disks = disks
      self.wanted = wanted
      self.target = target
      self.because = because
    }
  }

  private static func disk(_ target: String, _ bootOrder: Int? = nil) -> DiskDescription {
    ServerFixture.disk(target, bootOrder: bootOrder)
  }
  private static let cdrom = ServerFixture.disk("sda", device: "cdrom", bootOrder: 1)
  private static let emptyCDROM = ServerFixture.disk(
    "sdb", device: "cdrom", source: DiskDescription.Source.none)
  private static let floppy = ServerFixture.disk("fda", device: "floppy")
  private static let lun = ServerFixture.disk("sdc", device: "lun", source: .block("/dev/sdc"))
  private static let noMedia = ServerFixture.disk("vdz", source: DiskDescription.Source.none)
  private static let readOnly = ServerFixture.disk("vdr", isReadOnly: true)
  private static let bootableReadOnly = ServerFixture.disk("vdr", bootOrder: 1, isReadOnly: true)

  static let table: [Row] = [
    Row("one disk", [disk("vda")], target: "vda", because: "the first disk"),
    Row(
      "two disks", [disk("vdb"), disk("vda")], target: "vdb",
      because: "the first disk; not taken: vda"),
    Row(
      "boot order", [disk("vda"), disk("vdb", 2), disk("vdc", 1)], target: "vdc",
      because: "first in the boot order; not taken: vda, vdb"),
    Row(
      "a CD-ROM that boots first", [cdrom, disk("vda"), disk("vdb", 2)], target: "vdb",
      because: "first in the boot order; not taken: sda, vda"),
    Row(
      "drives that do not count", [emptyCDROM, floppy, lun, noMedia, disk("vda")], target: "vda",
      because: "the first disk; not taken: sdb, fda, sdc, vdz"),
    Row(
      "a read-only disk first", [readOnly, disk("vda")], target: "vda",
      because: "the first disk; not taken: vdr"),
    Row(
      "a read-only disk in the boot order", [bootableReadOnly, disk("vda")], target: "vda",
      because: "the first disk; not taken: vdr"),
    Row(
      "--disk", [disk("vda", 1), disk("vdb")], wanted: "vdb", target: "vdb",
      because: "asked for with --disk; not taken: vda"),
    Row(
      "--disk of a read-only disk", [readOnly, disk("vda")], wanted: "vdr", target: "vdr",
      because: "asked for with --disk; not taken: vda"),
  ]

  @Test(arguments: table)
  func `the root disk is chosen, or the one asked for`(_ row: Row) throws {
    let facts = ServerFixture.facts { $0.domain.disks = row.disks }
    let plan = try Decision.plan(facts, Request(disk: row.wanted))
    #expect(plan.disk.target == row.target)
    #expect(plan.reason("disk")?.choice == row.target)
    #expect(plan.reason("disk")?.because == row.because)
  }

  static let refusals: [(String, [DiskDescription], String?, String, String)] = [
    (
      "no disk", [], nil, "server 'fed18' has no disk that could be taken",
      "virsh domblklist fed18"
    ),
    (
      "only what does not count", [cdrom, emptyCDROM, floppy, lun, noMedia, readOnly], nil,
      "server 'fed18' has no disk that could be taken", "virsh domblklist fed18"
    ),
    (
      "an unknown --disk", [disk("vda"), disk("vdb")], "vdx",
      "server 'fed18' has no disk 'vdx' that could be taken",
      "Name one of these with --disk: vda, vdb"
    ),
    (
      "a CD-ROM as --disk", [cdrom, disk("vda")], "sda",
      "server 'fed18' has no disk 'sda' that could be taken",
      "Name one of these with --disk: vda"
    ),
    (
      "--disk without any disk", [], "vda", "server 'fed18' has no disk 'vda' that could be taken",
      "virsh domblklist fed18"
    ),
  ]

  @Test(arguments: refusals)
  func `without such a disk nothing is begun`(
    _ row: (name: String, disks: [DiskDescription], wanted: String?, reason: String, remedy: String)
  ) throws {
    let facts = ServerFixture.facts { $0.domain.disks = row.disks }
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(facts, Request(disk: row.wanted))
    }
    #expect(error.code == .noDisk)
    #expect(error.reason == row.reason)
    #expect(error.remedy.contains(row.remedy))
  }

  @Test func `a container of file systems only has no disk to take`() throws {
    let facts = ServerFixture.facts {
      $0.hypervisor = "LXC"
      $0.domain.disks = []
    }
    let error = try #require(throws: SnapshotError.self) { try Decision.plan(facts, Request()) }
    #expect(error.code == .noDisk)
  }

  static let formats: [(String, ImageFormat?, String, String)] = [
    ("qcow2", nil, "qcow2", "the disk's own format by the domain XML"),
    (
      "raw", nil, "raw",
      "the disk's own format by the domain XML; its full length of 5368709120 bytes is sent "
        + "(`--disk-format qcow2` leaves zeros out)"
    ),
    ("vpc", nil, "vhd", "the disk's own format by the domain XML"),
    ("vmdk", nil, "vmdk", "the disk's own format by the domain XML"),
    ("qed", nil, "qcow2", "no image can have the disk's own format qed"),
    ("vhd", nil, "qcow2", "no image can have the disk's own format vhd"),
    ("qcow2", .raw, "raw", "asked for with --disk-format"),
    ("raw", .qcow2, "qcow2", "asked for with --disk-format"),
  ]

  @Test(arguments: formats)
  func `the image has the disk's format or the one asked for`(
    _ row: (driver: String, wanted: ImageFormat?, format: String, because: String)
  ) throws {
    let facts = ServerFixture.facts {
      $0.root.format = row.driver
      $0.state = .shutOff
    }
    let plan = try Decision.plan(facts, Request(format: row.wanted))
    #expect(plan.format.name == row.format)
    #expect(plan.reason("format")?.choice == row.format)
    #expect(plan.reason("format")?.because == row.because)
  }

  @Test func `LVM and RBD have no format of their own and become raw`() throws {
    let plan = try Decision.plan(Situation.logicalVolume.facts, Request())
    #expect(plan.format == .raw)
  }

  static let leftOut: [(disk: String?, taken: String, leftOut: [String])] = [
    (nil, "vda", ["vdb"]), ("root", "vda", []), ("vda", "vda", []), ("vdb", "vdb", []),
  ]

  @Test(arguments: leftOut)
  func `writable disks are left out silently only if a disk was named`(
    _ row: (disk: String?, taken: String, leftOut: [String])
  ) throws {
    let facts = ServerFixture.facts {
      $0.domain.disks += [
        ServerFixture.disk("vdb"), ServerFixture.disk("vdc", isReadOnly: true),
        ServerFixture.disk("sda", device: "cdrom"),
        ServerFixture.disk("vdd", source: DiskDescription.Source.none),
      ]
    }
    let plan = try Decision.plan(facts, Request(disk: row.disk))
    #expect(plan.disk.target == row.taken)
    #expect(plan.leftOut == row.leftOut)
  }

  @Test func `--disk root is the first in the boot order`() throws {
    let facts = ServerFixture.facts {
      $0.domain.disks.append(ServerFixture.disk("vdb", bootOrder: 1))
      $0.disks["vdb"] = DiskFacts(virtualSize: 1, chain: [])
    }
    let plan = try Decision.plan(facts, Request(disk: "root"))
    #expect(plan.disk.target == "vdb")
    #expect(
      plan.reason("disk")?.because
        == "asked for with --disk root: first in the boot order; not taken: vda")
  }

  @Test func `a server with a job under way is left alone`() throws {
    let facts = ServerFixture.facts { $0.job = DomainJob(bytesDone: 1, bytesTotal: 2) }
    let error = try #require(throws: SnapshotError.self) { try Decision.plan(facts, Request()) }
    #expect(error.code == .serverBusy)
    #expect(
      error.reason
        == "server 'fed18' has a job under way (a save, a migration or a backup)")
    #expect(error.remedy.contains("`virsh domjobinfo fed18`"))
  }

  @Test func `a disk with a block job under way is left alone`() throws {
    let job = BlockJob(type: 2, current: 1, end: 2)
    let facts = ServerFixture.facts { $0.rootBlockJob = .active(job) }
    let error = try #require(throws: SnapshotError.self) { try Decision.plan(facts, Request()) }
    #expect(error.code == .serverBusy)
    #expect(error.reason == "disk 'vda' of server 'fed18' has a block job under way")
    #expect(error.remedy.contains("`virsh blockjob fed18 vda --info`"))
  }

  @Test func `a block job on another disk does not matter`() throws {
    let facts = ServerFixture.facts {
      $0.domain.disks.append(ServerFixture.disk("vdb"))
      $0.disks["vdb"] = DiskFacts(
        virtualSize: 1, chain: [], blockJob: .active(BlockJob(type: 2, current: 1, end: 2)))
    }
    #expect(try Decision.plan(facts, Request()).disk.target == "vda")
    let error = try #require(throws: SnapshotError.self) {
      try Decision.plan(facts, Request(disk: "vdb"))
    }
    #expect(error.code == .serverBusy)
  }
}
