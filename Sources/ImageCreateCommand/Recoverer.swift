internal import Foundation
internal import Libvirt
internal import Logging
internal import SnapshotCore

/// Undoes what runs that died have left: all of them for `--recover`, those of one server before a
/// run of its own.
struct Recoverer {
  let options: ImageCreateOptions
  let environment: [String: String]
  let log: Logger

  /// How long somebody else may look at a journal.
  private static let patience = Duration.seconds(5)

  private var places: Places { Places(environment: environment) }

  /// What `--recover` does.
  ///
  /// - Throws: `notRecovered` where something is left.
  func recover(with locks: HostLocks) async throws {
    let (dead, damaged) = await look()
    for error in damaged { Terminal.error(ErrorReport.line(for: error)) }
    var leftCount = damaged.count
    if dead.isEmpty, damaged.isEmpty {
      Terminal.output("Nothing is left to be undone.\n")
      return
    }
    for run in dead {
      if options.dryRun {
        Terminal.output(run.title + "\n")
        for action in run.pending { Terminal.output("  would \(action.purpose)\n") }
        continue
      }
      let lock: HostLocks.Lock
      do {
        lock = try await locks.lock(run.server, waits: options.wait, for: "recovery")
      } catch {
        Terminal.error(ErrorReport.line(for: error))
        leftCount += 1
        continue
      }
      // Whoever had the lock before may have undone it.
      for run in await DeadRun.all(
        in: places.journalFolder, of: run.server.uuid, patience: Recoverer.patience
      ).runs {
        Terminal.output(Recoverer.title(run) + "\n")
        leftCount += await undo(run) { Terminal.output("  \($0)\n") }.count
      }
      withExtendedLifetime(lock) {}
    }
    if options.dryRun {
      Terminal.output("\nNothing was touched (--dry-run).\n")
    } else if leftCount > 0 {
      throw SnapshotError(
        .notRecovered, "not everything could be undone",
        remedy: "Do as printed above, then run `image-create --recover` again")
    }
  }

  /// What a look at a dead run showed.
  private struct Found {
    let server: ServerIdentity
    let title: String
    let pending: [UndoAction]
  }

  /// Looks for dead runs without keeping them: the locks that say so are let go at once.
  private func look() async -> (dead: [Found], damaged: [SnapshotError]) {
    let (runs, damaged) = await DeadRun.all(
      in: places.journalFolder, touchesNothing: options.dryRun)
    let chosen = runs.filter { run in
      guard let server = options.server else { return true }
      return run.header.serverName == server || run.header.serverID == server.lowercased()
    }
    return (
      chosen.map {
        Found(server: $0.header.server, title: Recoverer.title($0), pending: $0.pending)
      }, damaged
    )
  }

  /// Undoes what dead runs of a server left; the caller holds its lock.
  ///
  /// - Throws: `notRecovered` where the server is not as it was after that.
  func makeWay(for server: ServerIdentity) async throws {
    let (dead, damaged) = await DeadRun.all(
      in: places.journalFolder, of: server.uuid,
      patience: options.dryRun ? .zero : Recoverer.patience, touchesNothing: options.dryRun)
    if let error = damaged.first { throw error }
    for run in dead {
      guard !options.dryRun else {
        log.warning("\(Recoverer.title(run)); a real run cleans up after it first")
        continue
      }
      log.warning("\(Recoverer.title(run)); undoing first what it left")
      let leftovers = await undo(run) { log.info("\($0)") }
      if let leftover = leftovers.first(where: { $0.action.hindersRuns }) {
        throw SnapshotError(
          .notRecovered,
          "server '\(server.name)' was not restored after a run that was killed: could not "
            + leftover.action.purpose,
          remedy: "Do by hand what is printed above, then run `image-create --recover`")
      }
    }
  }

  /// How long a guardian waits for another run that has the server, and has seen the journal.
  private static let guardianPatience = Duration.seconds(60)

  /// What a guardian does: undoes one run that was killed, unless somebody else does, or has done
  /// it.
  ///
  /// - Returns: whether nothing is left.
  func recover(journal path: String, with locks: HostLocks) async -> Bool {
    let end = ContinuousClock.now + Recoverer.guardianPatience
    do {
      while let header = try DeadRun.header(at: path) {
        let lock: HostLocks.Lock
        do {
          lock = try await locks.lock(header.server, waits: false, for: "recovery")
        } catch {
          guard error.code == .serverLocked, ContinuousClock.now < end else { throw error }
          try await Task.sleep(for: .milliseconds(50))
          continue
        }
        defer { withExtendedLifetime(lock) {} }
        guard let run = try await DeadRun.open(path, Recoverer.patience) else { return true }
        guard !run.pending.isEmpty else {
          _ = await undo(run) { _ in }
          return true
        }
        log.info("\(Recoverer.title(run)); the guardian undoes what it left")
        let isUndone = await undo(run) { log.info("\($0)") }.isEmpty
        let outcome =
          isUndone
          ? "its guardian has undone everything"
          : "its guardian could not undo everything, `image-create --recover` tries again"
        log.warning("\(Recoverer.title(run)); \(outcome)")
        return isUndone
      }
      return true
    } catch {
      Terminal.error(ErrorReport.line(for: error))
      return false
    }
  }

  private func undo(_ run: DeadRun, report: (String) -> Void) async -> [UndoStack.Leftover] {
    let server = run.header.server
    let choice = StoreChoice(options: options, environment: environment, log: log)
    let performer = UndoPerformer(
      server: server, over: nil, notice: { [log] in log.warning("\($0)") }
    ) { id in
      let store = try await choice.store(of: run.header.store)
      try await StoreSink(store: store, minRAM: 0).discard(id)
    }
    let leftovers = await run.undo(performer.perform) { report("did \($0.purpose)") }
    for leftover in leftovers {
      Terminal.error(ErrorReport.line(for: leftover, server: server.name, uri: server.uri))
    }
    return leftovers
  }

  private static func title(_ run: DeadRun) -> String {
    "snapshot '\(run.header.image)' of server '\(run.header.serverName)', begun at "
      + "\(run.header.began) by process \(run.header.process), died"
  }
}
