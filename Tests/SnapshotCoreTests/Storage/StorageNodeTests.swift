import Foundation
import Libvirt
import QemuTools
import Testing

@testable import SnapshotCore

@Suite struct StorageNodeTests {
  private static func workspace(_ folder: TemporaryFolder) throws -> Workspace {
    let place = Workspace.Place(spoolFolder: folder.path, stateFolder: folder.path)
    return try Workspace(folder.file("run"), in: place, owner: nil)
  }

  /// Nodes and what QEMU's programs are told.
  static let table: [(StorageNode, String)] = [
    (
      StorageNode(.file("/images/a,b \"c\".raw"), format: .raw),
      #"json:{"driver":"raw","file":{"driver":"file","filename":"/images/a,b \"c\".raw"}}"#
    ),
    (
      StorageNode(.blockDevice("/dev/vg0/a"), format: .raw),
      #"json:{"driver":"raw","file":{"driver":"host_device","filename":"/dev/vg0/a"}}"#
    ),
    (
      StorageNode(
        .file("/i/top"), format: .qcow2,
        below: StorageNode(
          .file("/i/middle"), format: .qed,
          below: StorageNode(.blockDevice("/dev/base"), format: .raw))),
      #"json:{"backing":{"backing":{"driver":"raw","file":{"driver":"host_device","#
        + #""filename":"/dev/base"}},"driver":"qed","file":{"driver":"file","#
        + #""filename":"/i/middle"}},"driver":"qcow2","file":{"driver":"file","filename":"/i/top"}}"#
    ),
    (
      StorageNode(.file("/i/base"), format: .qcow2),
      #"json:{"backing":null,"driver":"qcow2","file":{"driver":"file","filename":"/i/base"}}"#
    ),
    (
      StorageNode(.nbd(NBDExport(socketPath: "/a,b/nbd.sock", name: "v,da")), format: .raw),
      #"json:{"driver":"raw","file":{"driver":"nbd","export":"v,da","#
        + #""server":{"path":"/a,b/nbd.sock","type":"unix"}}}"#
    ),
  ]

  @Test(arguments: table)
  func `every layer is stated down to the base`(_ node: StorageNode, _ name: String) {
    #expect(node.qemuName == name)
    var shared = node
    shared.isShared = true
    #expect(shared.qemuName.contains(#""force-share":true"#))
  }

  @Test(arguments: StorageFormat.allCases)
  func `a base never gets a backing file from its header`(_ format: StorageFormat) async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("image")
    let isBacked = format.hasBacking
    if isBacked {
      try await Command.run(
        "qemu-img", "create", "-q", "-f", format.rawValue, folder.file("b"), "1M")
      try await Command.run(
        "qemu-img", "create", "-q", "-f", format.rawValue, "-b", folder.file("b"), "-F",
        format.rawValue, path)
      try FileManager.default.removeItem(atPath: folder.file("b"))
    } else {
      try await Command.run("qemu-img", "create", "-q", "-f", format.rawValue, path, "1M")
    }
    let node = StorageNode(.file(path), format: format)
    let info = try await QemuImg().info(node)
    #expect(info.layer.format == format)
    #expect((info.backing != nil) == isBacked)
    // Opened by its header it would fail: what it names is not there.
    #expect(try await QemuImg().dataSize(node) > 0)
  }

  @Test(arguments: ["plain", "a,b=c", "with space", "nbd:host:1", "json:{}", "ä%41"])
  func `a chain is served and converted as it is, whatever its files are called`(_ name: String)
    async throws
  {
    let folder = try TemporaryFolder()
    let base = folder.file("\(name).base")
    let top = folder.file("\(name).top")
    try Data((0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 700 + 1) })
      .write(to: URL(filePath: base))
    try await Command.run("qemu-img", "create", "-q", "-f", "qcow2", top, "196K")
    let source = StorageNode(
      .file(top), format: .qcow2, below: StorageNode(.file(base), format: .raw))
    let flat = folder.file("flat")
    try await QemuImg().convert(source, to: flat, format: .raw) { _ in }
    let expected = try Data(contentsOf: URL(filePath: base)).prefix(196 << 10)
    #expect(try Data(contentsOf: URL(filePath: flat)).prefix(expected.count) == expected)

    let streamed = folder.file("streamed")
    try await QemuNbd().serve(
      source, in: try Self.workspace(folder), cancellation: NBDCancellation()
    ) { export in
      let disk = try await BlockingCall.run { () throws(SnapshotError) in
        try EncodedDisk(.raw) { () throws(SnapshotError) in try NBDDiskSource(export) }
      }
      let reader = try disk.makeReader()
      defer { reader.close() }
      var data = Data()
      while let piece = try reader.read(upTo: 1 << 20) { data += piece }
      try data.write(to: URL(filePath: streamed))
    }
    #expect(try Data(contentsOf: URL(filePath: streamed)).prefix(expected.count) == expected)
    #expect(!FileManager.default.fileExists(atPath: folder.file("run/own/disk.sock")))
  }

  @Test func `what can't be served is an error with qemu-nbd's reason`() async throws {
    let folder = try TemporaryFolder()
    let missing = folder.file("missing.qcow2")
    let source = StorageNode(.file(missing), format: .qcow2)
    let error = try await #require(throws: SnapshotError.self) {
      try await QemuNbd().serve(
        source, in: try Self.workspace(folder), cancellation: NBDCancellation()
      ) { _ in
        Issue.record("a file that is not there was served")
      }
    }
    #expect(error.code == .unreadableDisk)
    #expect(error.reason.contains(missing) && error.reason.contains("No such file"))
  }

  @Test func `a server ends when its body fails`() async throws {
    let folder = try TemporaryFolder()
    let disk = folder.file("disk")
    try Data(count: 1 << 20).write(to: URL(filePath: disk))
    let source = StorageNode(.file(disk), format: .raw)
    await #expect(throws: CancellationError.self) {
      try await QemuNbd().serve(
        source, in: try Self.workspace(folder), cancellation: NBDCancellation()
      ) { _ in
        throw CancellationError()
      }
    }
    // Whoever can take the file for writing has no server beside it.
    try await Command.run("qemu-img", "bench", "-f", "raw", "-w", "-c", "1", disk)
  }
}
