import Foundation
import Libvirt
import Testing

@testable import SnapshotCore

/// Reading facts of the test driver's servers, with real disk files.
@Suite struct FactsReaderTests {
  /// A folder that goes with the object.
  private final class Folder {
    let path = NSTemporaryDirectory() + "/image-create-facts-\(UUID().uuidString)"
    init() throws {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  private func disk(_ path: String, format: String) -> String {
    """
    <disk type='file' device='disk'><driver name='qemu' type='\(format)'/>
    <source file='\(path.escapedForXML)'/><target dev='vda' bus='virtio'/></disk>
    """
  }

  @Test func `a running server of the test driver has its facts`() async throws {
    let server = try await TestDriver.server()
    let facts = try await FactsReader(spoolFolder: "/nowhere/spool").read(server)
    #expect(facts.uri == server.connection.uri)
    #expect(facts.hypervisor == "Test" || facts.hypervisor == "TEST")
    #expect(facts.state == .running)
    #expect(facts.isPersistent)
    #expect(!facts.hasManagedSaveImage)
    #expect(facts.snapshotCount == 0)
    #expect(facts.checkpointCount == 0)
    #expect(facts.job == nil)
    #expect(facts.domain.uuid == server.uuid)
    #expect(facts.disks.isEmpty)
  }

  @Test func `a backing chain is followed with the formats that its files state`() async throws {
    let folder = try Folder()
    let base = folder.path + "/base.raw"
    let top = folder.path + "/it's top.qcow2"
    #expect(FileManager.default.createFile(atPath: base, contents: Data(count: 1 << 20)))
    let layer = ImageLayer(path: base, format: "raw", virtualSize: 1 << 20, allocatedSize: 0)
    try await QemuImg().create(top, size: 2 << 20, over: layer, clusterSize: nil)
    let server = try await TestDriver.server(devices: disk(top, format: "qcow2"))
    // The test driver knows no block jobs; a server that does not run is not asked for them.
    try await server.managedSave()
    let facts = try await FactsReader(spoolFolder: "/nowhere/spool").read(server)
    #expect(facts.hasManagedSaveImage)
    let vda = try #require(facts.disks["vda"])
    #expect(vda.virtualSize == 2 << 20)
    #expect(vda.chain.map(\.path) == [top, base])
    #expect(vda.chain.map(\.format) == ["qcow2", "raw"])
    #expect(vda.blockJob == .none)
  }

  @Test func `a driver without block jobs is a fact and no failure`() async throws {
    let folder = try Folder()
    let path = folder.path + "/disk.raw"
    #expect(FileManager.default.createFile(atPath: path, contents: Data(count: 1 << 20)))
    let server = try await TestDriver.server(devices: disk(path, format: "raw"))
    #expect(
      try await FactsReader(spoolFolder: "/nowhere/spool").read(server).disks["vda"]?.blockJob
        == .unsupported)
  }

  @Test func `a disk that is not there is named`() async throws {
    let server = try await TestDriver.server(devices: disk("/nosuch/a.qcow2", format: "qcow2"))
    let error = await #expect(throws: SnapshotError.self) {
      try await FactsReader(spoolFolder: "/nowhere/spool").read(server)
    }
    #expect(error?.code == .unreadableDisk)
    #expect(error?.reason.hasPrefix("/nosuch/a.qcow2 could not be read as qcow2: ") == true)
    #expect(error?.reason.contains("No such file or directory") == true)
  }

  @Test func `a raw disk that holds a qcow2 header stays raw`() async throws {
    let folder = try Folder()
    let path = folder.path + "/trap.raw"
    let base = ImageLayer(path: "/etc/passwd", format: "raw", virtualSize: 0, allocatedSize: 0)
    try await QemuImg().create(path, size: 1 << 20, over: base, clusterSize: nil)
    let server = try await TestDriver.server(devices: disk(path, format: "raw"))
    let vda = try #require(
      try await FactsReader(spoolFolder: "/nowhere/spool").read(server).disks["vda"])
    #expect(vda.chain.map(\.path) == [path])
    #expect(vda.virtualSize != 1 << 20)
  }
}
