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
    let server: String
    let uri: String
  }

  init(options: ImageCreateOptions, environment: [String: String], log: Logger) {
    self.options = options
    self.environment = environment
    self.log = log
  }

  /// The commands that would undo by hand what is not undone yet.
  var pendingCommands: [String] {
    guard let running = running.withLock({ $0 }) else { return [] }
    return running.undo.pending.map { $0.command(server: running.server, uri: running.uri) }
  }

  func run() async throws {
    let target = try StoreChoice(options: options, environment: environment, log: log).choose()
    // The image service is asked while the server is looked at: neither touches anything.
    let access = options.dryRun ? nil : Task { try await target.store.checkAccess() }
    defer { access?.cancel() }
    let connection = try await connect()
    let domain = try await ServerLookup.find(options.server, on: connection)
    let place = Places(environment: environment).workspace(spoolDir: options.spoolDir)
    let facts = try await FactsReader(spoolFolder: place.spoolFolder).read(domain)
    let plan = try Decision.plan(facts, options.request)
    for reason in plan.reasons {
      log.info("\(reason.topic): \(reason.choice) (\(reason.because))")
    }
    if options.dryRun {
      Terminal.output(PlanReport.text(facts, plan, target: target, image: options.name))
      return
    }
    var image = try description(facts, plan, store: target.store)
    let sink = StoreSink(store: target.store, minRAM: options.minRam)
    let undo = UndoStack(
      perform: UndoPerformer(domain: domain) { try await sink.discard($0) }.perform)
    let progress = ProgressPrinter(isOn: options.poll, isTerminal: Terminal.isOutputTerminal)
    let snapshot = Snapshot(
      domain: domain, facts: facts, plan: plan, sink: sink, place: place,
      retries: options.retries, undo: undo, log: log, progress: { progress.report($0) })
    try await snapshot.checkSpool()
    let requester = try await withTaskCancellationHandler {
      try await access?.value
    } onCancel: {
      access?.cancel()
    }
    if let requester {
      image.properties["user_id"] = image.properties["user_id"] ?? requester.userID
      image.properties["owner_id"] = image.properties["owner_id"] ?? requester.projectID
    }
    try Task.checkCancellation()
    running.withLock { $0 = Running(undo: undo, server: domain.name, uri: connection.uri) }
    try await finish(snapshot, image: image, undo: undo, progress: progress, facts: facts)
    if let notice = target.notice, let record = sink.finished { Terminal.error(notice(record.id)) }
    if options.show, let record = sink.finished {
      Terminal.output(PropertyTable.text(record.rows))
    }
  }

  /// Runs the snapshot and undoes everything that is on the stack, whatever happened.
  private func finish(
    _ snapshot: Snapshot, image: ImageDescription, undo: UndoStack, progress: ProgressPrinter,
    facts: Facts
  ) async throws {
    let outcome: Result<Void, any Error>
    do {
      progress.start()
      try await snapshot.run(image)
      outcome = .success(())
    } catch {
      outcome = .failure(error)
    }
    let leftovers = await undo.unwind()
    for leftover in leftovers {
      Terminal.error(
        ErrorReport.line(for: leftover, server: facts.domain.name, uri: facts.uri))
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
      id: UUID(), name: options.name, diskFormat: plan.format.name,
      minDisk: ServerProperties.minDisk(virtualSize: plan.virtualSize),
      properties: properties.merging(metadata) { _, typed in typed })
    try store.validate(NewImage(image, minRAM: options.minRam))
    return image
  }
}
