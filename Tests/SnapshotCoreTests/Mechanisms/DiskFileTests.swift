import Foundation
import Libvirt
import QemuTools
import Testing

@testable import SnapshotCore

@Suite struct DiskFileTests {
  private static func workspace(_ folder: TemporaryFolder) throws -> Workspace {
    let place = Workspace.Place(spoolFolder: folder.path, stateFolder: folder.path)
    return try Workspace(folder.file("run"), in: place, owner: nil)
  }

  @Test func `every layer is named with its format`() {
    let layers = [
      DiskFile.Layer(path: "/images/a,b.qcow2", format: "qcow2"),
      DiskFile.Layer(path: "/images/base", format: "raw"),
    ]
    let chain =
      "driver=qcow2,file.filename=/images/a,,b.qcow2,backing.driver=raw,"
      + "backing.file.filename=/images/base"
    #expect(DiskFile(place: .layers(layers)).imageOptions == chain)
    #expect(
      DiskFile(place: .layers(layers), isShared: true).imageOptions == chain + ",force-share=on")
  }

  @Test func `an export is named by its socket and its name`() {
    let export = NBDExport(socketPath: "/a,b/nbd.sock", name: "v,da")
    #expect(
      DiskFile(place: .export(export)).imageOptions
        == "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=/a,,b/nbd.sock,"
        + "file.export=v,,da")
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
    let source = DiskFile(
      place: .layers([.init(path: top, format: "qcow2"), .init(path: base, format: "raw")]))
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
    #expect(!FileManager.default.fileExists(atPath: folder.file("run/disk.sock")))
  }

  @Test func `what can't be served is an error with qemu-nbd's reason`() async throws {
    let folder = try TemporaryFolder()
    let missing = folder.file("missing.qcow2")
    let source = DiskFile(place: .layers([.init(path: missing, format: "qcow2")]))
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
    let source = DiskFile(place: .layers([.init(path: disk, format: "raw")]))
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
