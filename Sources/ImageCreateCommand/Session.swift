internal import Foundation
internal import ImageService
internal import Libvirt
internal import Logging
internal import SnapshotCore
internal import Synchronization

/// One invocation: finds the server, makes the plan, checks everything, runs it, reports.
final class Session: Sendable {
  private let options: ImageCreateOptions
  private let environment: [String: String]
  private let log: Logger
  private let running = Mutex<Running?>(nil)

  /// What is known once something may have to be undone.
  private struct Running {
    let undo: UndoStack
    let server: ServerIdentity
    let isGuarded: Bool
  }

  init(options: ImageCreateOptions, environment: [String: String], log: Logger) {
    self.options = options
    self.environment = environment
    self.log = log
  }

  /// The commands that would undo by hand what is not undone yet.
  var pendingCommands: [String] {
    guard let running = running.withLock({ $0 }) else { return [] }
    let server = running.server
    return running.undo.pending.map { $0.command(server: server.name, uri: server.uri) }
  }

  /// Who undoes the rest if the run leaves at once.
  var leftoverAdvice: String {
    running.withLock { $0?.isGuarded == true }
      ? "image-create: the guardian of this run does it now; `image-create --recover` tries again"
      : "image-create: or let `image-create --recover` do it"
  }

  /// - Returns: `done`, or `attention` for a complete image beside which something is left.
  func run() async throws -> ExitStatus {
    if options.recover {
      try await recoverer.recover(with: try locks())
      return .done
    }
    let target = try StoreChoice(options: options, environment: environment, log: log).choose()
    // Whoever can exchange the folder would have root write where he likes.
    if getuid() == 0 {
      if let file = target.store as? SingleFileStore {
        try TrustedFolders.check(folderOf: file.path, for: .output)
      } else if let folder = target.store as? FolderStore {
        try TrustedFolders.check(folderOf: folder.directory + "/image", for: .images)
      }
    }
    let connection = try await connect()
    let domain = try await ServerLookup.find(options.server ?? "", on: connection)
    let server = ServerIdentity(uuid: domain.uuid, name: domain.name, uri: connection.uri)
    let held = try await hold(server)
    defer { withExtendedLifetime(held) {} }
    try await recoverer.makeWay(for: server)
    let progress = ProgressPrinter(isOn: options.poll, isTerminal: Terminal.isOutputTerminal)
    let rehearsal = Rehearsal(options: options, target: target, places: places, log: log)
    let rehearsed = try await rehearsal.run(domain) { progress.report($0) }
    guard !options.dryRun else {
      Terminal.output(PlanReport.text(rehearsed, target: target, image: options.name ?? ""))
      return .done
    }
    try Task.checkCancellation()
    return try await act(rehearsed, on: domain, server, into: target, progress)
  }

  /// Takes the snapshot, once nothing speaks against it.
  private func act(
    _ rehearsed: Rehearsal.Result, on domain: Domain, _ server: ServerIdentity,
    into target: StoreChoice.Target, _ progress: ProgressPrinter
  ) async throws -> ExitStatus {
    let (image, sink, snapshot) = (rehearsed.image, rehearsed.sink, rehearsed.snapshot)
    try snapshot.prepareSpool()
    let identity = try await target.identity()
    let path = Journal.newPath(of: server, in: places.journalFolder)
    let recovery = GuardianRun.recovery(of: path, options: options, environment: environment)
    var leftovers: [UndoStack.Leftover] = []
    try await Guardian.watching(recovery, log: log) { isGuarded in
      let journal = try Journal.open(
        Journal.Header(server: server, image: image.name, store: identity), at: path)
      let undo = UndoStack(
        journal: journal,
        perform: UndoPerformer(
          server: server, over: domain.connection, notice: { [log] in log.warning("\($0)") }
        ) {
          try await sink.discard($0)
        }.perform)
      running.withLock { $0 = Running(undo: undo, server: server, isGuarded: isGuarded) }
      leftovers = try await finish(
        server: server, undo: undo, journal: journal, progress: progress
      ) {
        try await snapshot.run(image, reading: rehearsed.readSize, undo: undo)
      }
    }
    guard let record = sink.finished else { return .done }
    if !options.quiet, let notice = target.notice { Terminal.error(notice(record.id)) }
    if options.show { Terminal.output(PropertyTable.text(record.rows)) }
    guard let leftover = leftovers.first else { return .done }
    // The image is good whatever is left: whoever waits for it must learn its id.
    Terminal.error(ErrorReport.line(for: leftover, beside: record.id, in: target.store.name))
    return .attention
  }

  /// Keeps other runs away from the server, then takes a place among the host's; a rehearsal looks
  /// whether it could.
  private func hold(_ server: ServerIdentity) async throws -> [HostLocks.Lock] {
    let locks = try locks()
    let purpose = "image '\(options.name ?? "")'"
    // A rehearsal says who has the server and does not wait.
    let waits = options.wait && !options.dryRun
    let lock = try await locks.lock(server, waits: waits, for: purpose)
    let place = try await locks.place(among: options.maxConcurrent, waits: waits, for: purpose)
    return [lock, place]
  }

  private func locks() throws(SnapshotError) -> HostLocks {
    try places.locks(isRehearsal: options.dryRun) { [log] in log.warning("\($0)") }
  }

  private var places: Places { Places(environment: environment) }
  private var recoverer: Recoverer {
    Recoverer(options: options, environment: environment, log: log)
  }

  /// Runs the snapshot and undoes everything that is on the stack, whatever happened.
  ///
  /// - Returns: what could not be undone beside a complete image.
  private func finish(
    server: ServerIdentity, undo: UndoStack, journal: Journal, progress: ProgressPrinter,
    _ body: () async throws -> Void
  ) async throws -> [UndoStack.Leftover] {
    let outcome: Result<Void, any Error>
    do {
      progress.start()
      try await body()
      outcome = .success(())
    } catch {
      outcome = .failure(error)
    }
    let leftovers = await undo.unwind()
    for leftover in leftovers {
      Terminal.error(ErrorReport.line(for: leftover, server: server.name, uri: server.uri))
    }
    if await undo.settle(journal), !leftovers.isEmpty {
      Terminal.error(
        "image-create: or run `image-create --recover \(server.name.shellWord)` to retry everything"
      )
    }
    switch outcome {
    case .success:
      progress.finish()
      return leftovers
    case .failure(let error):
      progress.fail()
      throw error
    }
  }

  private func connect() async throws -> Connection {
    let uri = options.connect ?? environment["LIBVIRT_DEFAULT_URI"] ?? "qemu:///system"
    log.info("connecting to \(uri)")
    do {
      return try await Connection.open(uri: uri)
    } catch {
      throw SnapshotError(
        .connectionFailed, "libvirt at \(uri) could not be reached: \(error.message)",
        remedy: "Check that the daemon runs and the URI is right (--connect, LIBVIRT_DEFAULT_URI)",
        cause: error)
    }
  }
}
