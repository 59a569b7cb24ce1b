internal import Libvirt
internal import Logging

/// What a mechanism works with.
struct SnapshotContext: Sendable {
  let domain: Domain
  let facts: Facts
  let plan: Plan
  let undo: UndoStack
  let workspace: Workspace
  let qemuImg: QemuImg
  let log: Logger
  /// Told the fraction of the mechanism's own copying, 0 to 1.
  let progress: @Sendable (Double) -> Void
  /// Says after the point in time whether the guest was quiesced.
  let quiescing = QuiesceRecord()
  /// When the point in time was fixed.
  let instant = Instant()

  /// The files of the disk the plan chose, top first.
  var chain: [ImageLayer] { facts.disks[plan.disk.target]?.chain ?? [] }

  /// The disk with all its layers, for our own programs.
  func node() throws(SnapshotError) -> StorageNode {
    guard let node = StorageNode(chain: chain) else {
      throw SnapshotError(
        .unreadableDisk, "disk '\(plan.disk.target)' of \(facts.label) is not a file on this host",
        remedy: "Take it live with the mechanism 'backup'")
    }
    return node
  }

  /// Runs what reads the point in time, and looks after what holds it open and still.
  func lookingAfter(_ source: DiskFile, _ body: () async throws -> Void) async throws {
    guard plan.mechanism != .backup else {
      return try await BackupWatch(context: self).around(body)
    }
    try await ReadGuard(source, besides: workspace.folder, of: domain, log: log).around(body)
  }

  /// Undoes what was pushed after a mark, last first.
  ///
  /// - Throws: `notRestored` with the command that does it by hand, for the first that failed.
  func putBack(to mark: UndoStack.Mark) async throws {
    if let leftover = await undo.unwind(to: mark).first {
      throw SnapshotError(
        .notRestored, "could not \(leftover.action.purpose) on \(facts.label): \(leftover.error)",
        remedy: "Do it by hand: `"
          + leftover.action.command(server: facts.domain.name, uri: facts.uri) + "`",
        cause: leftover.error)
    }
    log.info("\(facts.label) is as it was")
  }
}

extension Mechanism {
  /// Fixes the point in time: when this returns, the file holds the disk as it was at that moment
  /// and nothing writes to it.
  ///
  /// Whatever must be taken back is on the undo stack; unwinding it is the release.
  func fix(_ context: SnapshotContext) async throws -> DiskFile {
    switch self {
    case .backup: try await Backup(context: context).fix()
    case .copy, .rebase: try await Mirror(context: context, mechanism: self).fix()
    case .managedSave: try await ManagedSave(context: context).fix()
    case .offline:
      try await offline(context)
    }
  }

  private func offline(_ context: SnapshotContext) async throws -> DiskFile {
    try await DiskComparison(context: context).checkLayers()
    var node = try context.node()
    // A crashed guest's QEMU may still hold its lock.
    node.isShared = context.facts.state == .crashed
    return DiskFile(node)
  }
}
