internal import Foundation
internal import Glibc
internal import SystemPackage

/// Keeps the runs on this host apart: one for each server, and so many at a time.
///
/// The kernel's locks on small files (`flock`): they end with the process that holds them, however
/// it ends. What such a file says of its holder is for messages only.
///
/// A lock needs no more than an open file, so whoever can open it can hold it for ever. Only those
/// who may use a server may do that:
/// - Root's folder is root's and, if the host has one, of the group that may use the system's daemon,
///   which can stop any server anyway. The system's servers are locked there, by members of that group,
///   too, once root has run: only root can create it.
/// - Other users have a folder of their own. Their session's servers are nobody else's.
public struct HostLocks: Sendable {
  /// Where this user's own files are.
  public let folder: String
  /// Root's folder, which is used for the servers of the system's daemon.
  private let shared: String?
  /// The group whose members use the folder, too.
  private let group: UInt32?
  /// Whether locks are only looked at: nothing is created, and none is held.
  private let isRehearsal: Bool
  /// Told what is waited for.
  private let notice: @Sendable (String) -> Void

  /// How often a lock that is held is tried again.
  private static let interval = Duration.milliseconds(250)
  /// How long a rehearsal may have looked at a lock.
  private static let glance = Duration.milliseconds(20)
  /// More runs than this are never counted.
  private static let mostSlots = 4096

  /// Uses a folder, and creates it if it is missing.
  ///
  /// - Parameters:
  ///   - shared: root's folder, if this is another user.
  ///   - group: whose members are let in.
  ///   - isRehearsal: whether locks are only looked at.
  /// - Throws: `serverLocked` if it cannot be used, `unsafeFolder` if others can change the way to it.
  public init(
    folder: String, shared: String? = nil, group: UInt32? = nil, isRehearsal: Bool = false,
    notice: @escaping @Sendable (String) -> Void
  ) throws(SnapshotError) {
    self.folder = folder
    self.shared = shared
    self.group = group
    self.isRehearsal = isRehearsal
    self.notice = notice
    _ = try TrustedFolders(on: folder, for: .state)
    guard !isRehearsal else {
      if let obstacle = FolderRehearsal.obstacle(to: folder) {
        throw HostLocks.unusable(folder, obstacle.error)
      }
      return
    }
    do {
      try FileManager.default.createDirectory(
        atPath: FilePath(folder).removingLastComponent().string,
        withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
      try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
      let directory = try FileDescriptor.open(
        FilePath(folder), .readOnly, options: [.directory, .noFollow, .closeOnExec])
      try directory.closeAfter {
        // New files get the folder's group; only their owner can remove them.
        guard fchown(directory.rawValue, geteuid(), group ?? getegid()) == 0,
          fchmod(directory.rawValue, group == nil ? 0o700 : 0o3770) == 0
        else { throw Errno(rawValue: errno) }
      }
    } catch {
      throw HostLocks.unusable(folder, error)
    }
  }

  /// Where a server's lock is.
  private func folder(of server: ServerIdentity) -> String {
    guard let shared, URLComponents(string: server.uri)?.path == "/system" else { return folder }
    guard FileManager.default.isWritableFile(atPath: shared) else {
      notice(
        "root's runs on server '\(server.name)' are not locked out: \(shared) does not exist or is not writable"
      )
      return folder
    }
    return shared
  }

  /// A lock that is held; let go when the last reference goes.
  public final class Lock: Sendable {
    /// Nil in a rehearsal.
    private let file: FileDescriptor?

    fileprivate init(_ file: FileDescriptor?) { self.file = file }

    deinit { try? file?.close() }
  }

  /// Locks a server.
  ///
  /// - Parameters:
  ///   - waits: whether to wait for whoever holds it.
  ///   - purpose: what it is for, in others' messages.
  /// - Throws: `serverLocked` with the holder; `CancellationError` as `cancelled`.
  public func lock(_ server: ServerIdentity, waits: Bool, for purpose: String)
    async throws(SnapshotError) -> Lock
  {
    let path = folder(of: server) + "/" + server.uuid + ".lock"
    if let lock = try take(path, purpose) { return lock }
    try? await Task.sleep(for: HostLocks.glance)
    if let lock = try take(path, purpose) { return lock }
    let reason = "server '\(server.name)' is being snapshotted by \(await holder(path))"
    guard waits else {
      throw SnapshotError(
        .serverLocked, reason, remedy: "Try again when that is over, or wait for it with --wait")
    }
    notice("waiting: \(reason)")
    return try await wait { () throws(SnapshotError) in try take(path, purpose) }
  }

  /// Takes one of the host's places for runs, the lowest that is free.
  ///
  /// - Parameter most: how many places there are for this run.
  /// - Throws: `serverLocked` where all are taken; `cancelled`.
  public func place(among most: Int?, waits: Bool, for purpose: String)
    async throws(SnapshotError) -> Lock
  {
    if let lock = try takePlace(among: most, purpose) { return lock }
    try? await Task.sleep(for: HostLocks.glance)
    if let lock = try takePlace(among: most, purpose) { return lock }
    let count = most ?? HostLocks.mostSlots
    let reason = "\(count) snapshots are under way on this host, as many as --max-concurrent allows"
    guard waits else {
      throw SnapshotError(
        .serverLocked, reason,
        remedy: "Try again when one of them is over, or wait for it with --wait")
    }
    notice("waiting: \(reason)")
    return try await wait { () throws(SnapshotError) in try takePlace(among: most, purpose) }
  }

  private func takePlace(among most: Int?, _ purpose: String) throws(SnapshotError) -> Lock? {
    for number in 0..<(most ?? HostLocks.mostSlots) {
      if let lock = try take(folder + "/place-\(number).lock", purpose) { return lock }
    }
    return nil
  }

  private func wait(_ attempt: () throws(SnapshotError) -> Lock?)
    async throws(SnapshotError) -> Lock
  {
    while true {
      if let lock = try attempt() { return lock }
      do { try await Task.sleep(for: HostLocks.interval) } catch { throw .cancelled }
    }
  }

  /// - Returns: nil where someone else holds it.
  private func take(_ path: String, _ purpose: String) throws(SnapshotError) -> Lock? {
    guard !isRehearsal else { return try look(path) }
    do {
      let file = try open(path)
      guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else {
        let reason = Errno(rawValue: errno)
        try file.close()
        guard reason == .wouldBlock else { throw reason }
        return nil
      }
      let lock = Lock(file)
      let holder = Holder(
        process: getpid(), user: NSUserName(), since: Date.now.formatted(.iso8601),
        purpose: purpose)
      // A full file system is no reason not to hold it.
      if ftruncate(file.rawValue, 0) == 0, let text = try? JSONEncoder().encode(holder) {
        _ = try? file.writeAll(toAbsoluteOffset: 0, text)
      }
      return lock
    } catch {
      throw HostLocks.unusable(path, error)
    }
  }

  /// Whether a lock could be taken now. A shared lock tells; it is let go at once, and a run that meets
  /// it tries once more.
  private func look(_ path: String) throws(SnapshotError) -> Lock? {
    do {
      let file = try FileDescriptor.open(
        FilePath(path), .readOnly, options: [.noFollow, .closeOnExec])
      return try file.closeAfter {
        if flock(file.rawValue, LOCK_SH | LOCK_NB) == 0 { return Lock(nil) }
        let reason = Errno(rawValue: errno)
        guard reason == .wouldBlock else { throw reason }
        return nil
      }
    } catch Errno.noSuchFileOrDirectory {
      return Lock(nil)
    } catch {
      throw HostLocks.unusable(path, error)
    }
  }

  /// Kernels refuse `O_CREAT` on someone else's file in a sticky folder (`protected_regular`), so it
  /// is asked for only if there is no file.
  private func open(_ path: String) throws -> FileDescriptor {
    while true {
      do {
        return try FileDescriptor.open(
          FilePath(path), .readWrite, options: [.noFollow, .closeOnExec])
      } catch Errno.noSuchFileOrDirectory {}
      do {
        let file = try FileDescriptor.open(
          FilePath(path), .readWrite,
          options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
          permissions: .ownerReadWrite)
        // The group of the folder locks it as well.
        if group != nil || !path.hasPrefix(folder + "/"), fchmod(file.rawValue, 0o660) != 0 {
          throw Errno(rawValue: errno)
        }
        return file
      } catch Errno.fileExists {}
    }
  }

  /// Who holds a lock, as far as its file says: one that has just taken it may still be writing.
  private func holder(_ path: String) async -> String {
    for _ in 1...20 {
      if let text = FileManager.default.contents(atPath: path)?.prefix(4096),
        let holder = try? JSONDecoder().decode(Holder.self, from: text)
      {
        return holder.description
      }
      try? await Task.sleep(for: .milliseconds(10))
    }
    return "another process"
  }

  private struct Holder: Codable, CustomStringConvertible {
    let process: Int32
    let user: String
    let since: String
    let purpose: String

    var description: String {
      let parts = "process \(process) of \(user) since \(since) (\(purpose))"
      // Another user may have written this.
      return String(
        parts.filter { !$0.isNewline && !$0.unicodeScalars.contains { $0.value < 32 } }
          .prefix(300))
    }
  }

  private static func unusable(_ path: String, _ error: any Error) -> SnapshotError {
    SnapshotError(
      .serverLocked, "the lock \(path) cannot be used: \(error.tidy)",
      remedy: "Check who owns it; root may remove it while no snapshot runs", cause: error)
  }
}
