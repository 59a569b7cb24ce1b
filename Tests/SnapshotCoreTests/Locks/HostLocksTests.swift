import Foundation
import QemuTools
import Synchronization
import Testing

@testable import SnapshotCore

/// The locks between runs. `flock` belongs to an open file, so two of one process are kept apart as
/// two processes are.
@Suite struct HostLocksTests {
  private let folder: TemporaryFolder
  private let locks: HostLocks
  private let notices = Notices()

  private final class Notices: Sendable {
    private let state = Mutex<[String]>([])
    var all: [String] { state.withLock { $0 } }
    func add(_ text: String) { state.withLock { $0.append(text) } }
  }

  init() throws {
    folder = try TemporaryFolder()
    locks = try HostLocks(folder: folder.file("locks")) { [notices] in notices.add($0) }
  }

  private func server(_ name: String) -> ServerIdentity {
    ServerIdentity(uuid: "uuid-of-\(name)", name: name, uri: "qemu:///system")
  }

  @Test func `the second on a server hears who has it, since when and for what`() async throws {
    let first = try await locks.lock(server("a"), waits: false, for: "image 'x'")
    let error = try await #require(throws: SnapshotError.self) {
      try await locks.lock(server("a"), waits: false, for: "image 'y'")
    }
    #expect(error.code == .serverLocked)
    let pattern =
      /server 'a' is being snapshotted by process (\d+) of (.+) since 20\d\d-.+Z \(image 'x'\)/
    let match = try #require(error.reason.wholeMatch(of: pattern), "\(error.reason)")
    #expect(Int32(match.1) == getpid())
    withExtendedLifetime(first) {}
  }

  @Test func `a rehearsal hears the same and leaves nothing`() async throws {
    let path = folder.file("rehearsed")
    let rehearsal = try HostLocks(folder: path, isRehearsal: true) { _ in }
    _ = try await rehearsal.lock(server("a"), waits: false, for: "image 'y'")
    _ = try await rehearsal.place(among: 1, waits: false, for: "image 'y'")
    #expect(!FileManager.default.fileExists(atPath: path))
    let locks = try HostLocks(folder: path) { _ in }
    let held = try await locks.lock(server("a"), waits: false, for: "image 'x'")
    let place = try await locks.place(among: 1, waits: false, for: "image 'x'")
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    for looks in [rehearsal, locks] {
      let error = try await #require(throws: SnapshotError.self) {
        try await looks.lock(server("a"), waits: false, for: "image 'y'")
      }
      #expect(error.code == .serverLocked && error.cause == nil)
      #expect(error.reason.contains("(image 'x')"))
      let full = try await #require(throws: SnapshotError.self) {
        try await looks.place(among: 1, waits: false, for: "image 'y'")
      }
      #expect(full.reason.contains("1 snapshots are under way on this host"))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == names)
    withExtendedLifetime((held, place)) {}
    // What a rehearsal looked at is free for a run.
    let other = try HostLocks(folder: folder.file("other")) { _ in }
    _ = try await other.lock(server("a"), waits: false, for: "1")
    _ = try await HostLocks(folder: folder.file("other"), isRehearsal: true) { _ in }
      .lock(server("a"), waits: false, for: "2")
    _ = try await other.lock(server("a"), waits: false, for: "3")
  }

  @Test func `another server, and the same one later, are free`() async throws {
    var first: HostLocks.Lock? = try await locks.lock(server("a"), waits: false, for: "1")
    let other = try await locks.lock(server("b"), waits: false, for: "2")
    withExtendedLifetime(first) {}
    first = nil
    _ = try await locks.lock(server("a"), waits: false, for: "3")
    withExtendedLifetime(other) {}
  }

  @Test func `one that waits gets it when the first is over, and says what it waits for`()
    async throws
  {
    var first: HostLocks.Lock? = try await locks.lock(server("a"), waits: false, for: "image 'x'")
    let second = Task { [locks] in
      try await locks.lock(
        ServerIdentity(uuid: "uuid-of-a", name: "a", uri: ""), waits: true, for: "image 'y'")
    }
    while notices.all.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    #expect(notices.all.first?.hasPrefix("waiting: server 'a' is being snapshotted by") == true)
    withExtendedLifetime(first) {}
    first = nil
    _ = try await second.value
  }

  @Test func `a wait can be cancelled`() async throws {
    let first = try await locks.lock(server("a"), waits: false, for: "image 'x'")
    let second = Task { [locks] in
      try await locks.lock(
        ServerIdentity(uuid: "uuid-of-a", name: "a", uri: ""), waits: true, for: "image 'y'")
    }
    while notices.all.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    second.cancel()
    let error = try await #require(throws: SnapshotError.self) { try await second.value }
    #expect(error.code == .cancelled)
    withExtendedLifetime(first) {}
  }

  @Test func `so many places there are, counting those of runs without a bound`() async throws {
    var held: [HostLocks.Lock] = [try await locks.place(among: nil, waits: false, for: "1")]
    held.append(try await locks.place(among: 2, waits: false, for: "2"))
    let error = try await #require(throws: SnapshotError.self) {
      try await locks.place(among: 2, waits: false, for: "3")
    }
    #expect(error.code == .serverLocked)
    #expect(
      error.reason
        == "2 snapshots are under way on this host, as many as --max-concurrent allows")
    held.append(try await locks.place(among: 3, waits: false, for: "3"))
    held.removeFirst()
    _ = try await locks.place(among: 1, waits: false, for: "4")
  }

  @Test func `every user may lock, and nobody's link is followed`() async throws {
    _ = try await locks.lock(server("a"), waits: false, for: "1")
    let files = FileManager.default
    for (path, mode) in [("locks", 0o1777), ("locks/uuid-of-a.lock", 0o666)] {
      let attributes = try files.attributesOfItem(atPath: folder.file(path))
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode)
    }
    let victim = folder.file("victim")
    try Data("precious".utf8).write(to: URL(filePath: victim))
    try files.createSymbolicLink(
      atPath: folder.file("locks/uuid-of-b.lock"), withDestinationPath: victim)
    await #expect(throws: SnapshotError.self) {
      try await locks.lock(server("b"), waits: false, for: "1")
    }
    #expect(files.contents(atPath: victim) == Data("precious".utf8))
  }

  @Test func `what someone else wrote into a lock does not reach the terminal raw`() async throws {
    let first = try await locks.lock(server("a"), waits: false, for: "1")
    try Data(
      #"{"process":1,"user":"\u001b[2J","since":"x\ny","purpose":"p"}"#.utf8
    ).write(to: URL(filePath: folder.file("locks/uuid-of-a.lock")))
    let error = try await #require(throws: SnapshotError.self) {
      try await locks.lock(server("a"), waits: false, for: "2")
    }
    #expect(
      error.reason
        == "server 'a' is being snapshotted by process 1 of [2J since xy (p)")
    withExtendedLifetime(first) {}
  }
}
