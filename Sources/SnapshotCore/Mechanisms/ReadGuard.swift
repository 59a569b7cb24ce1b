internal import Foundation
internal import Libvirt
internal import Logging
internal import SystemPackage

/// Keeps others from writing to the files that this program reads itself, and notices who did it all
/// the same: a torn image would have the right hash.
///
/// QEMU's own programs keep a guest from opening a qcow2 that they read, but not a raw disk. And they
/// lock nothing between two of them.
struct ReadGuard: Sendable {
  private let source: DiskFile
  private let domain: Domain
  private let log: Logger
  /// What is read and is not the run's own.
  private let files: [String]

  /// - Parameters:
  ///   - source: what is read.
  ///   - folder: what lies there is the run's own.
  ///   - domain: the server whose disk it is.
  init(_ source: DiskFile, besides folder: String, of domain: Domain, log: Logger) {
    self.source = source
    self.domain = domain
    self.log = log
    files = source.node.paths.filter { !$0.hasPrefix(folder + "/") }
  }

  /// Runs what reads the files. When this returns, the server may be started again.
  ///
  /// - Throws: `serverBusy` if somebody has a file open for writing; `unreadableDisk` if something was
  ///   written, or if the server was started; what the body throws.
  func around(_ body: () async throws -> Void) async throws {
    // The server goes on while a copy of its disk is read; what lies below that is only locked.
    guard !source.isOwn else {
      _ = try await holding(body)
      return
    }
    try await domain.collectingEvents { events in
      try await checkState()
      try await checkOthers()
      let isLocked = try await holding(body)
      do {
        // On this connection, what has happened arrives before this is answered.
        try await checkOthers()
        try check(await events.all())
        try await checkState()
      } catch let error as LibvirtError {
        // A daemon that was restarted does not know, and the locks have kept every QEMU out.
        guard isLocked, await !domain.connection.isAlive() else { throw error }
        log.warning("\(label) was kept from starting by locks alone: \(error.message)")
      }
    }
  }

  /// - Returns: whether the locks kept every QEMU of this host out of every file.
  private func holding(_ body: () async throws -> Void) async throws -> Bool {
    let locks = try await BlockingCall.run { () throws(SnapshotError) in try lock() }
    defer { withExtendedLifetime(locks) {} }
    let start = try await looks(through: locks)
    for path in files where start[path] == nil {
      log.warning("a write to \(path) while it is read cannot be noticed")
    }
    try await body()
    let end = try await looks(through: locks)
    for (path, look) in start where end[path] != look {
      throw torn("\(path) was written to while it was read")
    }
    // QEMU has a /dev of its own, and with it another lock on a device.
    return !source.node.isShared && locks.count == files.count
      && files.allSatisfy { FileIdentity($0)?.isBlockDevice == false }
  }

  private func lock() throws(SnapshotError) -> [SharedFileLock] {
    var locks: [SharedFileLock] = []
    for path in files {
      do {
        let lock = try SharedFileLock(path: path)
        try lock.refuseWriters()
        // A crashed guest's QEMU may write, and does not: its processors are stopped.
        guard try source.node.isShared || !lock.isWritten() else {
          throw SnapshotError(
            .serverBusy, "\(path) is open for writing in another program",
            remedy:
              "See what it is with `fuser -v \(path.shellWord)`. If it is a server, shut it down or "
              + "take it live; otherwise try again when it has ended")
        }
        locks.append(lock)
      } catch let error as SharedFileLock.SystemError {
        guard error.isUnsupported else {
          throw SnapshotError(
            .unreadableDisk, "\(path) cannot be opened for reading: \(error)",
            remedy: "Check that the file is there and that you may read it", cause: error)
        }
        log.warning("\(path) cannot be locked against writers: \(error)")
      } catch let error as SnapshotError {
        throw error
      } catch {
        throw SnapshotError(
          .unreadableDisk, "\(path) cannot be locked: \(error)", remedy: "Try again", cause: error)
      }
    }
    return locks
  }

  private func looks(through locks: [SharedFileLock]) async throws -> [String: FileLook] {
    await BlockingCall.run {
      for lock in locks { lock.flush() }
      return Dictionary(
        files.compactMap { path in FileLook(path).map { (path, $0) } },
        uniquingKeysWith: { first, _ in first })
    }
  }

  private func checkOthers() async throws {
    let others = try await ActiveDisks(besides: domain.uuid, on: domain.connection)
    for path in files {
      guard let server = others.server(using: path) else { continue }
      throw torn("\(path) is also a disk of server '\(server)', which is active")
    }
  }

  private func checkState() async throws {
    let state = try await domain.state()
    let isStill = source.node.isShared ? state == .crashed : state == .shutOff
    guard isStill else { throw torn("\(label) is \(state) while its disk is read") }
  }

  /// A server that was started and stopped again is in the state in which it was.
  private func check(_ events: [LifecycleEvents.Kind]) throws {
    for event in events {
      switch event {
      case .started, .resumed:
        throw torn("\(label) was started while its disk was read")
      case .undefined:
        throw torn("\(label) was undefined while its disk was read")
      // `stopped` is also what a start is that the lock refused.
      case .defined, .suspended, .stopped, .shutDown, .slept, .crashed: continue
      }
    }
  }

  private var label: String { "server '\(domain.name)'" }

  private func torn(_ what: String) -> SnapshotError {
    SnapshotError(
      .unreadableDisk, "\(what): the image would be torn",
      remedy: "Find out what uses the disk, then run this again: a running server can be taken live"
    )
  }
}
