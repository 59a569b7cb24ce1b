import Foundation
import Libvirt
import Logging
import QemuTools
import Testing

@testable import SnapshotCore

/// A server of the test driver whose disk changes between the plan and the point in time.
@Suite struct DiskComparisonTests {
  private let folder: TemporaryFolder
  private let top: String

  /// Makes a disk over a base.
  init() async throws {
    folder = try TemporaryFolder()
    top = folder.file("top.qcow2")
    for name in ["base", "other"] {
      try await Command.run("qemu-img", "create", "-q", "-f", "qcow2", folder.file(name), "1M")
    }
    try await Command.run(
      "qemu-img", "create", "-q", "-f", "qcow2", "-b", folder.file("base"), "-F", "qcow2", top)
  }

  /// What a snapshot of the disk works with, once its plan is made.
  private func context(source: String? = nil, target: String = "vda") async throws
    -> SnapshotContext
  {
    let server = try await TestDriver.server(
      devices: """
        <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
        <source file='\(source ?? top)'/><target dev='\(target)' bus='virtio'/></disk>
        """)
    var facts = try await FactsReader(spoolFolder: "/nowhere/spool").read(server)
    facts.state = .shutOff
    if source != nil || target != "vda" {
      // Planned with another disk than the server has now.
      facts.domain.disks = [ServerFixture.disk("vda", source: .file(top))]
    }
    let place = Workspace.Place(spoolFolder: folder.path, stateFolder: folder.path)
    return SnapshotContext(
      domain: server, facts: facts, plan: try Decision.plan(facts, Request(mechanism: .offline)),
      undo: UndoStack { _ in },
      workspace: try Workspace(folder.file("run"), in: place, owner: nil), qemuImg: QemuImg(),
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, progress: { _ in })
  }

  private func reason(_ context: SnapshotContext) async throws -> String {
    let error = await #expect(throws: SnapshotError.self) {
      try await DiskComparison(context: context).checkLayers()
    }
    #expect(error?.code == .diskChanged)
    return error?.reason ?? ""
  }

  @Test func `a disk that is as it was may be read`() async throws {
    let context = try await context()
    try await DiskComparison(context: context).checkLayers()
  }

  @Test func `another file below the disk is a change`() async throws {
    let context = try await context()
    try await Command.run(
      "qemu-img", "rebase", "-u", "-f", "qcow2", "-b", folder.file("other"), "-F", "qcow2", top)
    #expect(
      try await reason(context)
        == "disk 'vda' of server 'one' was changed while the snapshot was prepared: it consisted of "
        + "qcow2 \(top) over qcow2 \(folder.file("base")) and consists of "
        + "qcow2 \(top) over qcow2 \(folder.file("other")) now")
  }

  @Test func `another size is a change`() async throws {
    let context = try await context()
    try await Command.run("qemu-img", "resize", "-q", "-f", "qcow2", top, "2M")
    #expect(try await reason(context).hasSuffix("it had 1048576 bytes and has 2097152 now"))
  }

  @Test func `another source is a change, and so is none`() async throws {
    let other = folder.file("other")
    #expect(
      try await reason(context(source: other)).hasSuffix("it was \(top) and is \(other) now"))
    try FileManager.default.removeItem(atPath: folder.file("run"))
    #expect(try await reason(context(target: "vdb")).hasSuffix("it no longer exists"))
  }

  @Test func `a data file that appears is not opened`() async throws {
    let context = try await context()
    try FileManager.default.removeItem(atPath: top)
    try await Command.run(
      "qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=\(folder.file("data"))", top,
      "1M")
    let error = await #expect(throws: SnapshotError.self) {
      try await DiskComparison(context: context).checkLayers()
    }
    #expect(error?.code == .unreadableDisk)
  }
}
