import Foundation
import Libvirt
import QemuTools
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

  private func disk(_ path: String, format: String, target: String = "vda") -> String {
    """
    <disk type='file' device='disk'><driver name='qemu' type='\(format)'/>
    <source file='\(path.escapedForXML)'/><target dev='\(target)' bus='virtio'/></disk>
    """
  }

  /// What keeps a disk's file from being opened.
  private func fault(_ path: String, format: String) async throws -> DiskFacts.Fault? {
    let server = try await TestDriver.server(devices: disk(path, format: format))
    let vda = try await FactsReader(spoolFolder: "/nowhere/spool").read(server).disks["vda"]
    #expect(try #require(vda).chain.isEmpty)
    return vda?.fault
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
    let layer = ImageLayer(path: base, format: .raw, virtualSize: 1 << 20, allocatedSize: 0)
    try await QemuImg().create(top, size: 2 << 20, over: layer, clusterSize: nil)
    let server = try await TestDriver.server(devices: disk(top, format: "qcow2"))
    // The test driver knows no block jobs; a server that does not run is not asked for them.
    try await server.managedSave()
    let facts = try await FactsReader(spoolFolder: "/nowhere/spool").read(server)
    #expect(facts.hasManagedSaveImage)
    let vda = try #require(facts.disks["vda"])
    #expect(vda.virtualSize == 2 << 20)
    #expect(vda.chain.map(\.path) == [top, base])
    #expect(vda.chain.map(\.format) == [.qcow2, .raw])
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

  @Test func `a disk that cannot be read is a fact, with the file and the reason`() async throws {
    let fault = try await fault("/nosuch/a.qcow2", format: "qcow2")
    #expect(
      fault?.reason == "/nosuch/a.qcow2 could not be read as qcow2: No such file or directory")
  }

  @Test func `another disk than the one to take is not even looked at`() async throws {
    let folder = try Folder()
    let path = folder.path + "/disk.raw"
    #expect(FileManager.default.createFile(atPath: path, contents: Data(count: 1 << 20)))
    let server = try await TestDriver.server(
      devices: disk(path, format: "raw") + disk("/nosuch/b.qcow2", format: "qcow2", target: "vdb"))
    let reader = FactsReader(spoolFolder: "/nowhere/spool")
    let facts = try await reader.read(server)
    #expect(facts.disks.keys.sorted() == ["vda"])
    #expect(facts.disks["vda"]?.fault == nil)
    let other = try await reader.read(server, disk: "vdb")
    #expect(other.disks.keys.sorted() == ["vdb"])
    #expect(other.disks["vdb"]?.fault != nil)
  }

  @Test func `a VMDK that names other files is not opened`() async throws {
    let folder = try Folder()
    for subformat in ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
      let path = folder.path + "/\(subformat).vmdk"
      try await Command.run(
        "qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=\(subformat)", path, "1M")
      let reason = try #require(try await fault(path, format: "vmdk")).reason
      #expect(reason.hasPrefix("\(path) is not a single sparse VMDK file"))
    }
    let path = folder.path + "/sparse.vmdk"
    try await Command.run(
      "qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicSparse", path, "1M")
    let server = try await TestDriver.server(devices: disk(path, format: "vmdk"))
    let vda = try await FactsReader(spoolFolder: "/nowhere/spool").read(server).disks["vda"]
    #expect(vda?.chain.map(\.format) == [.vmdk] && vda?.fault == nil)
  }

  @Test func `an external data file is not opened, not even to describe the disk`() async throws {
    let folder = try Folder()
    let path = folder.path + "/disk.qcow2"
    let data = folder.path + "/data"
    try await Command.run(
      "qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=\(data)", path, "1M")
    // Whoever opens a pipe for reading waits until somebody writes.
    try FileManager.default.removeItem(atPath: data)
    try await Command.run("mkfifo", data)
    let fault = try await fault(path, format: "qcow2")
    #expect(
      fault?.reason
        == "\(path) names the external data file \(data), which is not opened for it")
  }

  @Test func `what is neither file nor block device is not opened`() async throws {
    let folder = try Folder()
    let pipe = folder.path + "/pipe"
    try await Command.run("mkfifo", pipe)
    for path in [pipe, folder.path, "/dev/zero"] {
      #expect(
        try await fault(path, format: "raw")?.reason
          == "\(path) is neither a regular file nor a block device")
    }
  }

  @Test(arguments: ["luks", "vvfat", "parallels", "nbd", "json:{}", ""])
  func `a driver that is not known to stay within its file is refused`(_ format: String)
    async throws
  {
    let folder = try Folder()
    let path = folder.path + "/disk"
    #expect(FileManager.default.createFile(atPath: path, contents: Data(count: 1 << 20)))
    let layers = try? await ChainReader(qemuImg: QemuImg()).inspect(path, format: format)
    #expect(layers == nil)
  }

  @Test func `a raw disk that holds a qcow2 header stays raw`() async throws {
    let folder = try Folder()
    let path = folder.path + "/trap.raw"
    let base = ImageLayer(path: "/etc/passwd", format: .raw, virtualSize: 0, allocatedSize: 0)
    try await QemuImg().create(path, size: 1 << 20, over: base, clusterSize: nil)
    let server = try await TestDriver.server(devices: disk(path, format: "raw"))
    let vda = try #require(
      try await FactsReader(spoolFolder: "/nowhere/spool").read(server).disks["vda"])
    #expect(vda.chain.map(\.path) == [path])
    #expect(vda.virtualSize != 1 << 20)
  }
}
