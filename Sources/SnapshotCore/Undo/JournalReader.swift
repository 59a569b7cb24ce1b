internal import Foundation
internal import Glibc
internal import SystemPackage

/// What a journal says.
struct JournalContent: Sendable, Equatable {
  let header: Journal.Header
  /// What is still to be undone, in the order of the stack.
  let entries: [UndoStack.Entry]

  /// Reads a journal's text.
  ///
  /// A last line that is not whole was being written when the run died: what it announced was not
  /// begun.
  ///
  /// - Returns: nil where not even the first line is whole: nothing was begun.
  /// - Throws: `journalFailed` where it is no journal, or a newer program's.
  static func parse(_ text: Data, path: String) throws(SnapshotError) -> JournalContent? {
    var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    _ = lines.popLast()
    guard let first = lines.first else { return nil }
    let decoder = JSONDecoder()
    let version = (try? decoder.decode(Version.self, from: first))?.version
    guard version.map({ $0 <= Journal.version }) != false else {
      throw SnapshotError(
        .journalFailed,
        "\(path) has version \(version ?? 0) and this image-create reads up to \(Journal.version)",
        remedy: "Recover with the newer image-create that wrote it")
    }
    do {
      let header = try decoder.decode(Journal.Header.self, from: first)
      var entries: [UndoStack.Entry] = []
      for line in lines.dropFirst() {
        switch try decoder.decode(Journal.Record.self, from: line) {
        case .push(let entry):
          let index = entries.firstIndex { $0.height >= entry.height } ?? entries.endIndex
          entries.insert(entry, at: index)
        case .undone(let number), .forgotten(let number):
          entries.removeAll { $0.number == number }
        }
      }
      return JournalContent(header: header, entries: entries)
    } catch {
      throw SnapshotError(
        .journalFailed, "\(path) is damaged and can't be read",
        remedy: "Undo by hand what it lists, then remove it",
        cause: error)
    }
  }

  private struct Version: Decodable { let version: Int }
}

/// A run that died, with what it left to be undone. Nobody else can undo it meanwhile.
public struct DeadRun: Sendable {
  /// Who ran, and on what.
  public let header: Journal.Header
  /// What is to be undone, in the order of the stack.
  let entries: [UndoStack.Entry]
  /// Its journal, locked by us.
  let journal: Journal

  /// What is to be undone, last first.
  public var pending: [UndoAction] { entries.reversed().map(\.action) }

  /// Finds the runs that are dead, oldest first, and keeps everybody else from undoing them.
  ///
  /// - Parameters:
  ///   - folder: where journals are.
  ///   - serverID: only this server's.
  ///   - patience: how long to wait for a journal that is locked: none where its run may live, some
  ///     where the caller holds the server's lock, so that only a look at it can be under way.
  ///   - touchesNothing: whether this is a rehearsal, which does not tidy the folder up either.
  /// - Returns: them, and what could not be read.
  public static func all(
    in folder: String, of serverID: String? = nil, patience: Duration = .zero,
    touchesNothing: Bool = false
  ) async -> (runs: [DeadRun], damaged: [SnapshotError]) {
    if !touchesNothing { Journal.removeHalfMade(in: folder) }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    var runs: [DeadRun] = []
    var damaged: [SnapshotError] = []
    for name in names where name.hasSuffix(Journal.suffix) && name.hasPrefix(serverID ?? "") {
      do {
        if let run = try await open(folder + "/" + name, patience) { runs.append(run) }
      } catch {
        damaged.append(error)
      }
    }
    return (runs.sorted { $0.header.began < $1.header.began }, damaged)
  }

  /// Who ran, as far as a journal says without being locked: nil if it is gone.
  ///
  /// - Throws: `journalFailed`.
  package static func header(at path: String) throws(SnapshotError) -> Journal.Header? {
    Journal.removeHalfMade(in: FilePath(path).removingLastComponent().string)
    guard let text = FileManager.default.contents(atPath: path) else { return nil }
    return try JournalContent.parse(text, path: path)?.header
  }

  /// Opens one dead run's journal, and keeps everybody else from undoing it.
  ///
  /// - Parameter patience: how long to wait for whoever has it locked.
  /// - Returns: nil if its run lives, or if there is nothing left to be undone.
  package static func open(_ path: String, _ patience: Duration)
    async throws(SnapshotError) -> DeadRun?
  {
    let end = ContinuousClock.now + patience
    do {
      let file = try FileDescriptor.open(
        FilePath(path), .readWrite, options: [.append, .closeOnExec, .noFollow])
      let journal = Journal(path: path, file: file)
      while flock(file.rawValue, LOCK_EX | LOCK_NB) != 0 {
        guard errno == EWOULDBLOCK else { throw Errno(rawValue: errno) }
        guard ContinuousClock.now < end else { return nil }
        try await Task.sleep(for: .milliseconds(20))
      }
      // Between opening and locking its run may have ended and removed it.
      guard let text = FileManager.default.contents(atPath: path) else { return nil }
      guard let content = try JournalContent.parse(text, path: path) else {
        journal.close()
        return nil
      }
      return DeadRun(header: content.header, entries: content.entries, journal: journal)
    } catch Errno.noSuchFileOrDirectory {
      return nil
    } catch let error as SnapshotError {
      throw error
    } catch is CancellationError {
      throw .cancelled
    } catch {
      throw SnapshotError(
        .journalFailed, "\(path) could not be read: \(error.tidy)",
        remedy: "Run this as the user who ran the snapshot, or as root", cause: error)
    }
  }

  /// How long a call that the dead run had just sent may take to begin in the daemon.
  private static let settling = Duration.seconds(2)
  /// How long the first attempt to thaw may hold up the rest, which an agent may need to answer.
  private static let firstThaw = Duration.seconds(10)

  /// Undoes it; its journal is gone when nothing is left.
  ///
  /// What the run had just asked the daemon for is done after its death: a save that begins after the
  /// server was found running would stop it for good. So this waits a little first. A frozen guest
  /// does not: it is thawed at once, and again after that, in case the freeze was still to come.
  ///
  /// - Parameter report: told of each action that was done.
  /// - Returns: what could not be undone, which stays in the journal.
  public func undo(
    _ perform: @escaping UndoStack.Performer, report: (UndoAction) -> Void
  ) async -> [UndoStack.Leftover] {
    if entries.contains(where: \.action.concernsServer) {
      let end = ContinuousClock.now + DeadRun.settling
      if entries.contains(where: { $0.action == .thaw }) {
        try? await Deadline.run(DeadRun.firstThaw, UndoAction.thaw.purpose) {
          try await perform(.thaw)
        }
      }
      try? await Task.sleep(until: end)
    }
    let stack = UndoStack(entries: entries, journal: journal, perform: perform)
    let leftovers = await stack.unwind(report: report)
    if leftovers.isEmpty { journal.close() }
    return leftovers
  }
}
