import Foundation
import ImageService
import Libvirt
import Logging
import SnapshotCore
import Testing

@testable import ImageCreateCommand

@Suite struct PlanReportTests {
  private var facts: Facts {
    var domain = DomainDescription()
    domain.name = "fed18"
    domain.uuid = "542d3ac2-f77a-40f3-ba72-14ce4cab353c"
    domain.agent = .connected
    var root = DiskDescription()
    root.target = "vda"
    root.bus = "virtio"
    root.source = .file("/images/fed18.qcow2")
    root.format = "qcow2"
    var seed = DiskDescription()
    seed.device = "cdrom"
    seed.target = "sda"
    seed.isReadOnly = true
    seed.isTransient = true
    seed.encryption = "luks"
    domain.disks = [root, seed]
    return Facts(
      uri: "qemu:///system", hypervisor: "QEMU", hypervisorVersion: Version(7, 2, 22),
      daemonVersion: Version(9, 0), state: .running, isPersistent: true, snapshotCount: 0,
      checkpointCount: 1, domain: domain,
      disks: [
        "vda": DiskFacts(
          virtualSize: 5 << 30,
          chain: [
            ImageLayer(
              path: "/images/fed18.qcow2", format: .qcow2, virtualSize: 5 << 30,
              allocatedSize: 1),
            ImageLayer(
              path: "/images/base.raw", format: .raw, virtualSize: 5 << 30, allocatedSize: 1),
          ])
      ])
  }

  private func report(_ request: Request = Request()) throws -> (Plan, String) {
    let plan = try Decision.plan(facts, request)
    let target = StoreChoice.Target(
      store: SingleFileStore(
        path: "/o.qcow2", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      identity: { "file /o.qcow2" }, because: "--output")
    let text = PlanReport.text(
      facts, plan, checks: [("sign-in", "user 7")], target: target, image: "snap1")
    return (plan, text)
  }

  @Test(arguments: [Request(), Request(mode: .cold), Request(mechanism: .copy, quiesce: .never)])
  func `the report has every decision with its reason`(_ request: Request) throws {
    let (plan, text) = try report(request)
    #expect(plan.reasons.count >= 7)
    let decisions = try #require(text.split(separator: "\nPlan\n").last)
    let rows = decisions.split(separator: "\n")
    for reason in plan.reasons {
      let row = rows.first { $0.hasPrefix("| \(reason.topic) ") }
      #expect(row?.contains("| \(reason.choice): \(reason.because) ") == true, "\(reason)")
    }
    #expect(text.contains("| 'snap1' to file /o.qcow2: --output "))
  }

  static let factRows = [
    ("connection", "qemu:///system"), ("hypervisor", "QEMU 7.2.22"), ("libvirt daemon", "9.0.0"),
    ("server", "fed18 (542d3ac2-f77a-40f3-ba72-14ce4cab353c)"), ("state", "running"),
    ("persistent", "yes"), ("managed save image", "no"), ("snapshots, checkpoints", "0, 1"),
    ("guest agent", "connected"),
    (
      "disk vda",
      "disk, virtio, qcow2, /images/fed18.qcow2, 5368709120 bytes, over raw /images/base.raw"
    ),
    ("disk sda", "cdrom, raw, no media, read-only, transient, encrypted (luks)"),
  ]

  @Test(arguments: factRows)
  func `the report has the facts`(_ fact: String, value: String) throws {
    let (_, text) = try report()
    let row = try #require(text.split(separator: "\n").first { $0.hasPrefix("| \(fact) ") })
    #expect(row.contains(" | \(value) "))
  }

  @Test func `writable disks that are left out are named, unless a disk was`() throws {
    var facts = facts
    for target in ["vdb", "vdc"] {
      var disk = facts.domain.disks[0]
      disk.target = target
      facts.domain.disks.append(disk)
    }
    #expect(
      Rehearsal.leftOutNotice(try Decision.plan(facts, Request()))
        == "disks vdb, vdc are not in the image, only vda is (name a disk with --disk; --disk root "
        + "silences this)")
    #expect(Rehearsal.leftOutNotice(try Decision.plan(facts, Request(disk: "root"))) == nil)
  }

  @Test func `the report begins with the facts and ends with what was done: nothing`() throws {
    let (_, text) = try report()
    #expect(text.hasPrefix("Facts\n+-"))
    #expect(text.contains("\n\nPlan\n+-"))
    #expect(text.contains("\n\nChecks\n+-"))
    #expect(text.contains("| sign-in | user 7  |"))
    #expect(text.hasSuffix("+\n\nNothing was touched (--dry-run).\n"))
  }
}
