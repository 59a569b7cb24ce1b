internal import Foundation
internal import Glibc
internal import SystemPackage

/// The file from which a later run undoes a dead one: one for each running snapshot.
///
/// A line of JSON each: first who runs and on what, then each undo action before the thing is
/// acquired, then which of them are over. It holds no secrets; a server's definition, which may,
/// lies beside it in a file of its own. The kernel's lock on it (`flock`) tells a dead run from a
/// living one.
public final class Journal: Sendable {
  /// Who runs, and on what.
  public struct Header: Sendable, Equatable, Codable {
    /// The version of the format.
    public var version = Journal.version
    /// The server's UUID.
    public let serverID: String
    /// The server's name.
    public let serverName: String
    /// The libvirt connection's URI.
    public let uri: String
    /// The new image's name.
    public let image: String
    /// Where the image goes, so that recovery does not look in another place.
    public let store: String
    /// The process.
    public let process: Int32
    /// When the run began, ISO 8601.
    public let began: String

    /// Describes this process's run.
    public init(server: ServerIdentity, image: String, store: String) {
      serverID = server.uuid
      serverName = server.name
      uri = server.uri
      self.image = image
      self.store = store
      process = getpid()
      began = Date.now.formatted(.iso8601)
    }

    /// The server.
    public var server: ServerIdentity {
      ServerIdentity(uuid: serverID, name: serverName, uri: uri)
    }
  }

  /// One line after the first.
  enum Record: Sendable, Equatable {
    /// The thing is acquired next.
    case push(UndoStack.Entry)
    /// The action with this number was done.
    case undone(Int)
    /// The action with this number is not to be done any more.
    case forgotten(Int)
  }

  /// The version of the format that this program writes, and the newest it reads.
  static let version = 1
  /// How a journal's name ends.
  static let suffix = ".journal"

  /// Where it is.
  public let path: String
  /// Keeps the lock.
  private let file: FileDescriptor
  private let faults = FaultPoints()

  init(path: String, file: FileDescriptor) {
    self.path = path
    self.file = file
  }

  deinit { try? file.close() }

  /// Checks that a journal can be created; touches nothing.
  ///
  /// - Throws: `journalFailed`.
  package static func check(in folder: String) throws(SnapshotError) {
    guard let obstacle = FolderRehearsal.obstacle(to: folder) else { return }
    throw SnapshotError(
      .journalFailed, "no journal can be created in \(folder): \(obstacle.reason)",
      remedy: "Make the folder writable: no snapshot starts without a journal",
      cause: obstacle.error)
  }

  /// The path of a journal that does not exist yet, known before anything that needs it begins.
  ///
  /// - Parameter folder: where journals are.
  public static func newPath(of server: ServerIdentity, in folder: String) -> String {
    "\(folder)/\(server.uuid)-\(UUID().uuidString.lowercased().prefix(8))\(suffix)"
  }

  /// Creates a run's journal; it is locked and on disk when this returns. Its folder is created,
  /// private to us, if it is missing.
  ///
  /// - Parameter path: from ``newPath(of:in:)``.
  /// - Throws: `journalFailed`.
  public static func open(_ header: Header, at path: String) throws(SnapshotError) -> Journal {
    // Whoever can put a journal there has recovery do as it says.
    try TrustedFolders.check(folderOf: path, for: .state)
    let place = FilePath(path)
    let folder = place.removingLastComponent().string
    // It gets its real name when it is locked: recovery must not find it before.
    let temporary = "\(folder)/.\(place.stem ?? "")"
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      let directory = try FileDescriptor.open(FilePath(folder), .readOnly, options: [.closeOnExec])
      defer { try? directory.close() }
      // Shared among those that make one, against the one that removes what they left half-made.
      guard flock(directory.rawValue, LOCK_SH) == 0 else { throw Errno(rawValue: errno) }
      let file = try FileDescriptor.open(
        FilePath(temporary), .readWrite,
        options: [.create, .exclusiveCreate, .append, .closeOnExec, .noFollow],
        permissions: .ownerReadWrite)
      let journal = Journal(path: path, file: file)
      guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else { throw Errno(rawValue: errno) }
      journal.faults.pass(before: "open")
      try file.writeAll(line(header))
      guard fdatasync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      try FileManager.default.moveItem(atPath: temporary, toPath: path)
      guard fsync(directory.rawValue) == 0 else { throw Errno(rawValue: errno) }
      journal.faults.pass(after: "open")
      return journal
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw failure(path, error)
    }
  }

  /// Writes a line, and what must be on disk before the next step syncs.
  ///
  /// - Parameter action: what a record's number is about, for fault points.
  func write(_ record: Record, about action: UndoAction? = nil) throws(SnapshotError) {
    let name: String
    switch record {
    case .push(let entry): name = "push \(entry.action.name)"
    case .undone: name = "undone \(action?.name ?? "")"
    case .forgotten: name = "forget \(action?.name ?? "")"
    }
    faults.pass(before: name)
    do {
      let end = try file.seek(offset: 0, from: .end)
      do {
        try file.writeAll(Journal.line(record))
        // Undoing twice does no harm: that something is undone need not survive a power cut.
        if case .undone = record {
        } else if fdatasync(file.rawValue) != 0 {
          throw Errno(rawValue: errno)
        }
      } catch {
        // Half a line would make the next one unreadable.
        _ = ftruncate(file.rawValue, off_t(end))
        throw error
      }
    } catch {
      throw Journal.failure(path, error)
    }
    faults.pass(after: name)
  }

  /// Writes what is left to be undone in place of everything else. It needs no more space than there
  /// was, so that a full file system does not hinder it.
  ///
  /// - Throws: `journalFailed`.
  func rewrite(_ entries: [UndoStack.Entry]) throws(SnapshotError) {
    do {
      let text = FileManager.default.contents(atPath: path) ?? Data()
      guard let header = text.split(separator: UInt8(ascii: "\n")).first else {
        throw Errno.noSuchFileOrDirectory
      }
      let lines = try entries.map { try Journal.line(Record.push($0)) }
      let rest = lines.reduce(header + Data("\n".utf8), +)
      // Over the old text, whose blocks are ours, and not with this descriptor, which appends. Killed in
      // between, it is a damaged journal and not an empty one.
      let over = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.closeOnExec, .noFollow])
      try over.closeAfter {
        try over.writeAll(rest)
        guard ftruncate(over.rawValue, off_t(rest.count)) == 0, fdatasync(over.rawValue) == 0 else {
          throw Errno(rawValue: errno)
        }
      }
    } catch {
      throw Journal.failure(path, error)
    }
  }

  /// Removes it: nothing is left to be undone.
  ///
  /// - Parameter isLasting: whether it must not come back after a power cut either.
  public func close(isLasting: Bool = false) {
    faults.pass(before: "close")
    try? FileManager.default.removeItem(atPath: path)
    if isLasting,
      let folder = try? FileDescriptor.open(
        FilePath(path).removingLastComponent(), .readOnly, options: [.directory, .closeOnExec])
    {
      fsync(folder.rawValue)
      try? folder.close()
    }
    faults.pass(after: "close")
  }

  private static func line(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(value) + Data("\n".utf8)
  }

  /// Removes the journals of runs that were killed before they had named them: nothing was begun.
  static func removeHalfMade(in folder: String) {
    guard
      let directory = try? FileDescriptor.open(
        FilePath(folder), .readOnly, options: [.closeOnExec])
    else { return }
    defer { try? directory.close() }
    guard flock(directory.rawValue, LOCK_EX | LOCK_NB) == 0 else { return }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for name in names where name.hasPrefix(".") {
      try? FileManager.default.removeItem(atPath: folder + "/" + name)
    }
  }

  private static func failure(_ path: String, _ error: any Error) -> SnapshotError {
    SnapshotError(
      .journalFailed, "the journal \(path) could not be written: \(error.tidy)",
      remedy: "Free some space there and make the folder writable: no snapshot starts without a "
        + "writable journal", cause: error)
  }
}

extension Journal.Record: Codable {
  /// One key says which it is.
  private enum Key: String, CodingKey { case push, undone, forgotten }

  init(from decoder: any Decoder) throws {
    let record = try decoder.container(keyedBy: Key.self)
    if let entry = try record.decodeIfPresent(UndoStack.Entry.self, forKey: .push) {
      self = .push(entry)
    } else if let number = try record.decodeIfPresent(Int.self, forKey: .undone) {
      self = .undone(number)
    } else {
      self = .forgotten(try record.decode(Int.self, forKey: .forgotten))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var record = encoder.container(keyedBy: Key.self)
    switch self {
    case .push(let entry): try record.encode(entry, forKey: .push)
    case .undone(let number): try record.encode(number, forKey: .undone)
    case .forgotten(let number): try record.encode(number, forKey: .forgotten)
    }
  }
}

/// The server of a run.
public struct ServerIdentity: Sendable, Equatable {
  /// Its UUID.
  public let uuid: String
  /// Its name.
  public let name: String
  /// The connection's URI.
  public let uri: String

  /// Names a server.
  public init(uuid: String, name: String, uri: String) {
    self.uuid = uuid
    self.name = name
    self.uri = uri
  }
}
