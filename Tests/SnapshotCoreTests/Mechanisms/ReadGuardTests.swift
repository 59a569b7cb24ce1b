import Foundation
import Libvirt
import Logging
import QemuTools
import Testing

@testable import SnapshotCore

/// Reading files of a server of libvirt's test driver, whose events are real.
@Suite struct ReadGuardTests {
  private let folder: TemporaryFolder
  private let disk: String

  init() throws {
    folder = try TemporaryFolder()
    disk = folder.file("disk.raw")
    try Data(count: 1 << 20).write(to: URL(filePath: disk))
  }

  /// A server that is shut off.
  private func server() async throws -> Domain {
    let server = try await TestDriver.server()
    try await server.managedSave()
    return server
  }

  private func reader(
    of domain: Domain, _ path: String? = nil, isOwn: Bool = false, isShared: Bool = false
  ) -> ReadGuard {
    var node = StorageNode(.file(path ?? disk), format: .raw)
    node.isShared = isShared
    return ReadGuard(
      DiskFile(node, isOwn: isOwn), besides: folder.file("run"), of: domain,
      log: Logger(label: "test"))
  }

  /// Tries to open the disk for writing as QEMU does.
  private func write() async throws {
    try await Command.run("qemu-io", "-f", "raw", "-c", "write -P 7 0 512", disk)
  }

  @Test func `a disk that nobody else touches is read`() async throws {
    var isRead = false
    try await reader(of: server()).around { isRead = true }
    #expect(isRead)
  }

  @Test(arguments: [false, true])
  func `nobody can open the disk for writing until it is read`(_ isOwn: Bool) async throws {
    try await reader(of: server(), isOwn: isOwn).around {
      let error = await #expect(throws: Command.Failed.self) { try await write() }
      #expect(error?.description.contains("Failed to get \"write\" lock") == true)
    }
    try await write()
  }

  @Test func `a file of the run's own is not locked`() async throws {
    let own = folder.file("run/clone")
    try FileManager.default.createDirectory(
      atPath: folder.file("run"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: disk, toPath: own)
    try await reader(of: server(), own, isOwn: true).around {
      try await Command.run("qemu-io", "-f", "raw", "-c", "write 0 512", own)
    }
  }

  @Test func `a disk that is open for writing is refused before it is read`() async throws {
    let server = try await server()
    let other = try SharedFileLock(path: disk)
    let writer = Process()
    let input = Pipe()
    writer.executableURL = URL(filePath: "/usr/bin/env")
    writer.arguments = ["qemu-io", "-f", "raw", disk]
    writer.standardInput = input
    writer.standardOutput = FileHandle.nullDevice
    try writer.run()
    defer {
      try? input.fileHandleForWriting.close()
      writer.waitUntilExit()
    }
    while try !other.isWritten() { try await Task.sleep(for: .milliseconds(10)) }
    let error = await #expect(throws: SnapshotError.self) {
      try await reader(of: server).around { Issue.record("it was read") }
    }
    #expect(error?.code == .serverBusy)
    #expect(error?.reason == "\(disk) is open for writing in another program")
  }

  @Test func `a write that no lock keeps out is noticed`() async throws {
    let server = try await server()
    let error = await #expect(throws: SnapshotError.self) {
      try await reader(of: server).around {
        let file = try FileHandle(forWritingTo: URL(filePath: disk))
        try file.write(contentsOf: Data([1]))
        try file.close()
      }
    }
    #expect(error?.reason.hasPrefix("\(disk) was written to while it was read") == true)
  }

  @Test func `a server that was started and stopped again is noticed`() async throws {
    let server = try await server()
    let error = await #expect(throws: SnapshotError.self) {
      try await reader(of: server).around {
        try await server.start()
        try await server.managedSave()
      }
    }
    #expect(error?.code == .unreadableDisk)
    #expect(error?.reason.contains("'one' was started while its disk was read") == true)
  }

  @Test func `a server that is undefined is noticed`() async throws {
    let server = try await server()
    try await server.removeManagedSaveImage()
    let error = await #expect(throws: SnapshotError.self) {
      try await reader(of: server).around { try await server.undefine(keeping: []) }
    }
    #expect(error?.reason.contains("'one' was undefined while its disk was read") == true)
  }

  @Test func `a server that runs is not read, but for a copy of its disk`() async throws {
    let server = try await TestDriver.server()
    let error = await #expect(throws: SnapshotError.self) {
      try await reader(of: server).around { Issue.record("it was read") }
    }
    #expect(error?.reason.contains("is running") == true)
    try await reader(of: server, isOwn: true).around {}
  }

  @Test func `a crashed server is read, and no other whose QEMU has the disk open`() async throws {
    let driver = try await TestDriver([TestDriver.Server(name: "one", state: 6)])
    let server = try #require(try await driver.connection.domain(name: "one"))
    #expect(try await server.state() == .crashed)
    try await reader(of: server, isShared: true).around {}
    let running = try await TestDriver.server()
    let error = await #expect(throws: SnapshotError.self) {
      try await reader(of: running, isShared: true).around {
        Issue.record("it was read")
      }
    }
    #expect(error?.reason.contains("is running while its disk is read") == true)
  }

  @Test func `a disk of another active server is refused, under whatever path`() async throws {
    let link = folder.file("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: disk)
    let other = """
      <disk type='file' device='disk'><driver name='qemu' type='raw'/>\
      <source file='\(link)'/><target dev='vda' bus='virtio'/></disk>
      """
    let driver = try await TestDriver([
      TestDriver.Server(name: "one"), TestDriver.Server(name: "two", devices: other),
    ])
    let server = try #require(try await driver.connection.domain(name: "one"))
    try await server.managedSave()
    let error = await #expect(throws: SnapshotError.self) {
      try await reader(of: server).around { Issue.record("it was read") }
    }
    #expect(error?.reason.hasPrefix("\(disk) is also a disk of server 'two'") == true)
    try await driver.connection.domain(name: "two")?.managedSave()
    try await reader(of: server).around {}
  }
}
