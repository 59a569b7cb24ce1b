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
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
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

  @Test func `only this user may open a lock, and with a group that group, too`() async throws {
    let others = try HostLocks(folder: folder.file("group/locks"), group: getgid()) { _ in }
    for (locks, modes) in [(locks, [0o700, 0o600]), (others, [0o3770, 0o660])] {
      _ = try await locks.lock(server("a"), waits: false, for: "1")
      for (path, mode) in zip([locks.folder, locks.folder + "/uuid-of-a.lock"], modes) {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode, "\(path)")
        #expect((attributes[.groupOwnerAccountID] as? NSNumber)?.uint32Value == getgid())
      }
    }
  }

  @Test func `a server of the system's daemon is locked where root locks, others are not`()
    async throws
  {
    let root = try HostLocks(folder: folder.file("root"), group: getgid()) { _ in }
    let user = try HostLocks(folder: folder.file("user"), shared: root.folder) { _ in }
    let mine = ServerIdentity(uuid: "uuid-of-a", name: "a", uri: "qemu:///session")
    let held = try await root.lock(server("a"), waits: false, for: "1")
    await #expect(throws: SnapshotError.self) {
      try await user.lock(server("a"), waits: false, for: "2")
    }
    _ = try await user.lock(mine, waits: false, for: "3")
    withExtendedLifetime(held) {}
  }

  @Test func `a user who may not lock where root does goes on, and is told`() async throws {
    let user = try HostLocks(folder: folder.file("user"), shared: folder.file("none")) {
      [notices] in notices.add($0)
    }
    _ = try await user.lock(server("a"), waits: false, for: "1")
    #expect(
      notices.all == [
        "root's runs on server 'a' are not locked out: \(folder.file("none")) does not exist or is not writable"
      ])
  }

  @Test func `nobody's link is followed`() async throws {
    let files = FileManager.default
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
