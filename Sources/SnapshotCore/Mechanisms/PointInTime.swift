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

  /// The path of the disk the plan chose.
  var diskPath: String { plan.disk.source.path ?? "" }
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
      DiskFile(
        path: context.diskPath, format: context.plan.disk.format,
        // A crashed guest's QEMU may still hold its lock.
        isShared: context.facts.state == .crashed)
    }
  }
}
