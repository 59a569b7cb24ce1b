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

  func run() async throws {
    if options.recover { return try await recoverer.recover(with: try locks()) }
    let target = try StoreChoice(options: options, environment: environment, log: log).choose()
    // Whoever can exchange the folder would have root write where he likes.
    if let file = target.store as? SingleFileStore, getuid() == 0 {
      try TrustedFolders.check(folderOf: file.path, for: .output)
    }
    let connection = try await connect()
    let domain = try await ServerLookup.find(options.server ?? "", on: connection)
    let server = ServerIdentity(uuid: domain.uuid, name: domain.name, uri: connection.uri)
    guard !options.dryRun else {
      try await recoverer.makeWay(for: server)
      let (facts, plan) = try await decide(domain)
      let image = options.name ?? ""
      return Terminal.output(PlanReport.text(facts, plan, target: target, image: image))
    }
    let held = try await hold(server)
    try await recoverer.makeWay(for: server)
    try await take(domain, server, into: target)
    withExtendedLifetime(held) {}
  }

  /// Decides, checks everything, and takes the snapshot.
  private func take(
    _ domain: Domain, _ server: ServerIdentity, into target: StoreChoice.Target
  ) async throws {
    // The image service is asked while the server is looked at: neither touches anything.
    let access = Task { try await target.store.checkAccess() }
    defer { access.cancel() }
    let (facts, plan) = try await decide(domain)
    var image = try description(facts, plan, store: target.store)
    let sink = StoreSink(store: target.store, minRAM: options.minRam)
    let progress = ProgressPrinter(isOn: options.poll, isTerminal: Terminal.isOutputTerminal)
    let snapshot = Snapshot(
      domain: domain, facts: facts, plan: plan, sink: sink, place: place,
      retries: options.retries, log: log, progress: { progress.report($0) })
    let readSize = try await snapshot.checkSpool()
    let requester = try await withTaskCancellationHandler {
      try await access.value
    } onCancel: {
      access.cancel()
    }
    if let requester {
      image.properties["user_id"] = image.properties["user_id"] ?? requester.userID
      image.properties["owner_id"] = image.properties["owner_id"] ?? requester.projectID
    }
    // Compressed images are smaller, by how much nobody knows yet. A raw image has holes on this host
    // and none in an image service.
    if !plan.compresses {
      let isWhole = plan.format == .raw && requester != nil
      try await target.store.checkQuota(
        expectedBytes: Int64(clamping: isWhole ? plan.virtualSize : readSize))
    }
    try Task.checkCancellation()
    let identity = try await target.identity()
    let path = Journal.newPath(of: server, in: places.journalFolder)
    let recovery = GuardianRun.recovery(of: path, options: options, environment: environment)
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
      try await finish(server: server, undo: undo, journal: journal, progress: progress) {
        try await snapshot.run(image, reading: readSize, undo: undo)
      }
    }
    if let notice = target.notice, let record = sink.finished { Terminal.error(notice(record.id)) }
    if options.show, let record = sink.finished {
      Terminal.output(PropertyTable.text(record.rows))
    }
  }

  private func decide(_ domain: Domain) async throws -> (Facts, Plan) {
    let facts = try await FactsReader(spoolFolder: place.spoolFolder).read(
      domain, disk: options.request.disk)
    let plan = try Decision.plan(facts, options.request)
    for reason in plan.reasons {
      log.info("\(reason.topic): \(reason.choice) (\(reason.because))")
    }
    return (facts, plan)
  }

  /// Keeps other runs away from the server, then takes a place among the host's.
  private func hold(_ server: ServerIdentity) async throws -> [HostLocks.Lock] {
    let locks = try locks()
    let purpose = "image '\(options.name ?? "")'"
    let lock = try await locks.lock(server, waits: options.wait, for: purpose)
    let place = try await locks.place(
      among: options.maxConcurrent, waits: options.wait, for: purpose)
    return [lock, place]
  }

  private func locks() throws(SnapshotError) -> HostLocks {
    try places.locks { [log] in log.warning("\($0)") }
  }

  private var places: Places { Places(environment: environment) }
  private var place: Workspace.Place { places.workspace(spoolDir: options.spoolDir) }
  private var recoverer: Recoverer {
    Recoverer(options: options, environment: environment, log: log)
  }

  /// Runs the snapshot and undoes everything that is on the stack, whatever happened.
  private func finish(
    server: ServerIdentity, undo: UndoStack, journal: Journal, progress: ProgressPrinter,
    _ body: () async throws -> Void
  ) async throws {
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
        "image-create: or let `image-create --recover \(server.name.shellWord)` try all of it again"
      )
    }
    switch outcome {
    case .success:
      guard let leftover = leftovers.first else {
        progress.finish()
        return
      }
      progress.fail()
      throw SnapshotError(
        .notRestored, "the image is complete but could not \(leftover.action.purpose)",
        remedy: "Do it by hand as printed above")
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

  /// What the image will be, within the image service's rules.
  private func description(_ facts: Facts, _ plan: Plan, store: any ImageStore) throws
    -> ImageDescription
  {
    var properties = ServerProperties.of(facts, disk: plan.disk)
    // Nova cuts what it inherits; what the user typed is refused instead when it is too long.
    properties = properties.mapValues { String($0.prefix(255)) }
    let metadata = options.metadata.map { ($0.key, $0.value) }
    let image = ImageDescription(
      id: UUID(), name: options.name ?? "", diskFormat: plan.format.name,
      minDisk: ServerProperties.minDisk(virtualSize: plan.virtualSize),
      properties: properties.merging(metadata) { _, typed in typed })
    try store.validate(NewImage(image, minRAM: options.minRam))
    return image
  }
}
