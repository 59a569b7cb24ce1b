import Foundation
import Libvirt
import QemuTools
import Testing

@Suite(.timeLimit(.minutes(1))) struct NBDClientTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// 4 MiB: a first MiB of ones, a second of nothing, the rest twos.
  private func image() async throws -> String {
    let path = folder.file("disk.raw")
    try await Command.run("qemu-img", "create", "-q", "-f", "raw", path, "4M")
    try await Command.run(
      "qemu-io", "-f", "raw", "-c", "write -P 1 0 1M", "-c", "write -P 2 2M 2M", path)
    return path
  }

  @Test func readsComeInTheOrderTheyWereSent() async throws {
    let server = try await QemuNBD(try await image(), format: "raw", in: folder)
    let client = try NBDClient(NBDExport(socketPath: server.socketPath))
    #expect(client.size == 4 << 20)
    #expect(client.allowsSeveralConnections)
    #expect(try client.nextRead() == nil)
    // More than what a buffer of the pool holds, and a single byte.
    try client.submitRead(at: 0, count: 1 << 20)
    try client.submitRead(at: 2 << 20, count: 1)
    try client.submitRead(at: (1 << 20) - 2, count: 4)
    #expect(client.pendingReads == 3)
    #expect(try client.nextRead() == Data(repeating: 1, count: 1 << 20))
    #expect(try client.nextRead() == Data([2]))
    #expect(try client.nextRead() == Data([1, 1, 0, 0]))
    #expect(client.pendingReads == 0)
  }

  @Test func bytesOutliveTheClientAndItsNextReads() async throws {
    let server = try await QemuNBD(try await image(), format: "raw", in: folder)
    var kept: [Data] = []
    do {
      let client = try NBDClient(NBDExport(socketPath: server.socketPath))
      for round in 0..<64 {
        try client.submitRead(at: round % 2 == 0 ? 0 : 2 << 20, count: 4096)
        if let data = try client.nextRead(), round % 8 < 2 { kept.append(data) }
      }
    }
    #expect(kept.count == 16)
    for (index, data) in kept.enumerated() {
      #expect(data == Data(repeating: index % 2 == 0 ? 1 : 2, count: 4096))
    }
  }

  @Test func extentsStayWithinTheRangeAskedFor() async throws {
    let server = try await QemuNBD(try await image(), format: "raw", in: folder)
    let client = try NBDClient(NBDExport(socketPath: server.socketPath))
    #expect(client.reportsExtents)
    #expect(
      try client.extents(at: 512 << 10, count: 1 << 20) == [
        NBDExtent(start: 512 << 10, length: 512 << 10, readsAsZeros: false),
        NBDExtent(start: 1 << 20, length: 512 << 10, readsAsZeros: true),
      ])
  }

  @Test func anExportIsFoundByItsName() async throws {
    let server = try await QemuNBD(try await image(), format: "raw", export: "vda", in: folder)
    #expect(
      try NBDClient(NBDExport(socketPath: server.socketPath, name: "vda")).size == 4 << 20)
    let error = try #require(throws: NBDError.self) {
      try NBDClient(NBDExport(socketPath: server.socketPath, name: "vdb"))
    }
    #expect(error.object == "NBD export 'vdb' at \(server.socketPath)")
    #expect(error.message.contains("vdb"))
  }

  @Test func aSocketThatIsNotThereIsAnError() throws {
    let error = try #require(throws: NBDError.self) {
      try NBDClient(NBDExport(socketPath: folder.file("nothing.sock")))
    }
    #expect(error.operation == "nbd_aio_connect_unix")
    #expect(error.errno == ENOENT)
    #expect(error.description.contains(folder.file("nothing.sock")))
    #expect(!error.description.contains("\n"))
  }

  @Test func aServerThatDiesIsAnErrorAndNoEndOfTheDisk() async throws {
    let server = try await QemuNBD(try await image(), format: "raw", in: folder)
    let client = try NBDClient(NBDExport(socketPath: server.socketPath))
    try client.submitRead(at: 0, count: 4096)
    #expect(try client.nextRead()?.count == 4096)
    server.freeze()
    try client.submitRead(at: 0, count: 4096)
    server.kill()
    let error = try #require(throws: NBDError.self) { try client.nextRead() }
    #expect(error.operation == "nbd_aio_pread")
    #expect(error.object.hasPrefix("bytes 0..<4096 of NBD export"))
    #expect(!error.isTimeout && !error.isCancellation)
    #expect(throws: NBDError.self) { try client.submitRead(at: 0, count: 4096) }
    #expect(throws: NBDError.self) { try client.extents(at: 0, count: 4096) }
  }

  @Test func aSilentServerIsWaitedForNoLongerThanTheLimit() async throws {
    let server = try await QemuNBD(try await image(), format: "raw", in: folder)
    let client = try NBDClient(
      NBDExport(socketPath: server.socketPath), limits: .init(idle: .milliseconds(300)))
    server.freeze()
    try client.submitRead(at: 0, count: 4096)
    let start = ContinuousClock.now
    let error = try #require(throws: NBDError.self) { try client.nextRead() }
    #expect(error.isTimeout)
    #expect(ContinuousClock.now - start < .seconds(20))
    // Nobody answers the handshake either.
    let handshake = try #require(throws: NBDError.self) {
      try NBDClient(
        NBDExport(socketPath: server.socketPath), limits: .init(connect: .milliseconds(300)))
    }
    #expect(handshake.isTimeout)
  }

  @Test func aWaitIsCancelledFromAnotherThread() async throws {
    let server = try await QemuNBD(try await image(), format: "raw", in: folder)
    let cancellation = NBDCancellation()
    let client = try NBDClient(
      NBDExport(socketPath: server.socketPath), cancellation: cancellation)
    server.freeze()
    try client.submitRead(at: 0, count: 4096)
    let start = ContinuousClock.now
    DispatchQueue.global().asyncAfter(deadline: .now() + 0.2) { cancellation.cancel() }
    let error = try #require(throws: NBDError.self) { try client.nextRead() }
    #expect(error.isCancellation)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test func aReadPastTheEndIsRefused() async throws {
    let server = try await QemuNBD(try await image(), format: "raw", in: folder)
    let client = try NBDClient(NBDExport(socketPath: server.socketPath))
    #expect(throws: NBDError.self) { try client.submitRead(at: (4 << 20) - 1, count: 2) }
    #expect(client.pendingReads == 0)
  }
}
