internal import Foundation
public import Libvirt
public import Logging

/// One run: from a plan to an image in the image service, with the server put back as it was.
public struct Snapshot: Sendable {
  let domain: Domain
  let facts: Facts
  let plan: Plan
  let sink: any ImageSink
  let place: Workspace.Place
  let undo: UndoStack
  let log: Logger
  let progress: @Sendable (Progress) -> Void
  private let qemuImg = QemuImg()

  /// How far a run is.
  public struct Progress: Sendable, Equatable {
    /// The phase.
    public let phase: Phase
    /// The whole run's fraction, 0 to 1; never goes back.
    public let fraction: Double
  }

  /// The phases, with Nova's task states as names.
  public enum Phase: String, Sendable {
    /// Checked and about to begin.
    case snapshotPending = "image_snapshot_pending"
    /// Fixing the point in time and getting the bytes out.
    case snapshot = "image_snapshot"
    /// The file is there, the upload has not begun.
    case pendingUpload = "image_pending_upload"
    /// Sending.
    case uploading = "image_uploading"
  }

  /// Prepares a run; touches nothing.
  public init(
    domain: Domain, facts: Facts, plan: Plan, sink: any ImageSink, place: Workspace.Place,
    undo: UndoStack, log: Logger, progress: @escaping @Sendable (Progress) -> Void
  ) {
    self.domain = domain
    self.facts = facts
    self.plan = plan
    self.sink = sink
    self.place = place
    self.undo = undo
    self.log = log
    self.progress = progress
  }

  /// Checks that the spool folder can be used and takes the worst case, before anything is touched.
  ///
  /// - Throws: `spoolFailed`, `noSpace` with the needed and the free bytes, `unreadableDisk`.
  public func checkSpool() async throws {
    try Workspace.prepare(place, owner: facts.domain.owner)
    guard let path = plan.disk.source.path else { return }
    let isSpooled = plan.delivery == .spool
    let flat = try await qemuImg.dataSize(path, format: plan.disk.format)
    let top = facts.disks[plan.disk.target]?.chain.first?.allocatedSize ?? 0
    let needed =
      switch plan.mechanism {
      // The scratch file holds at most what the guest overwrites of the disk's data.
      case .backup: flat * (isSpooled ? 2 : 1)
      // The delta holds what the disk's own file holds.
      case .copy, .rebase: flat + max(top, 1 << 20)
      case .managedSave, .offline: flat
      }
    guard let free = Workspace.freeBytes(in: place.spoolFolder), free < needed else { return }
    throw SnapshotError(
      .noSpace,
      "the spool folder \(place.spoolFolder) has \(free) bytes free and \(needed) are "
        + "needed for disk '\(plan.disk.target)' of \(facts.label)",
      remedy: "Free some space there, or name another folder with --spool-dir")
  }

  /// Takes the snapshot and delivers it as `image`.
  ///
  /// On failure everything is still on the undo stack: the caller unwinds it.
  ///
  /// - Throws: `SnapshotError`, `LibvirtError`, what the sink threw, `CancellationError`.
  public func run(_ image: ImageDescription) async throws {
    enter(.snapshotPending, 0)
    let record = undo.push(.deleteImage(id: image.id))
    // Not cut short by a cancellation: a request given up half-way may still make the image after
    // it was looked for and not found by the undo.
    let sink = sink
    try await Task.detached { try await sink.reserve(image) }.value
    try Task.checkCancellation()

    let runID = UUID()
    undo.push(.removeFolder(path: place.spoolFolder + "/" + runID.uuidString.lowercased()))
    let workspace = try Workspace(in: place, id: runID, owner: facts.domain.owner)
    enter(.snapshot, 0)
    let before = undo.mark()
    let source = try await fix(workspace)
    switch plan.delivery {
    case .spool:
      let file = try await convert(source, in: workspace)
      try await putBack(to: before)
      try await inspect(file)
      let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int64
      try await send(.file(path: file, byteCount: size ?? 0), to: image.id, from: shares.extracted)
    case .stream:
      try await stream(source, to: image.id)
      // The image is whole and verified: trouble with the server is no reason to lose it.
      undo.forget(record)
      try await putBack(to: before)
    }
    undo.forget(record)
  }

  private func fix(_ workspace: Workspace) async throws -> DiskFile {
    let fixed = shares.fixed
    let context = SnapshotContext(
      domain: domain, facts: facts, plan: plan, undo: undo, workspace: workspace,
      qemuImg: qemuImg, log: log,
      progress: { progress(Progress(phase: .snapshot, fraction: fixed * $0)) })
    let source = try await plan.mechanism.fix(context)
    log.info("the point in time is fixed (\(plan.mechanism.rawValue))")
    try Task.checkCancellation()
    return source
  }

  /// Writes the flat image to the spool folder.
  private func convert(_ source: DiskFile, in workspace: Workspace) async throws -> String {
    let path = workspace.path("image.\(plan.format.name)")
    let shares = shares
    try await qemuImg.convert(source, to: path, format: plan.format) { fraction in
      progress(
        Progress(
          phase: .snapshot,
          fraction: shares.fixed + (shares.extracted - shares.fixed) * fraction))
    }
    return path
  }

  /// Makes the image while the open point in time is read, and sends it.
  private func stream(_ source: DiskFile, to id: UUID) async throws {
    guard let export = source.export, let format = plan.format.streamed else {
      throw SnapshotError(
        .notPossible, "mechanism '\(plan.mechanism.rawValue)' can't be streamed as \(plan.format)",
        remedy: "Use --spool")
    }
    // A read that waits for the NBD server must not outlive the run.
    let cancellation = NBDCancellation()
    try await withTaskCancellationHandler {
      let disk = try await BlockingWork.run {
        try EncodedDisk(format) { () throws(SnapshotError) in
          try NBDDiskSource(export, cancellation: cancellation)
        }
      }
      guard disk.diskSize == plan.virtualSize else {
        throw SnapshotError(
          .badImage,
          "the backup offers \(disk.diskSize) bytes of disk '\(plan.disk.target)', "
            + "which is \(plan.virtualSize) bytes large",
          remedy: "Look whether the disk was resized meanwhile, then try again")
      }
      try await send(.stream(disk), to: id, from: 0)
    } onCancel: {
      cancellation.cancel()
    }
  }

  /// Sends the image's data; `from` is the fraction of the run that is over by then.
  private func send(_ data: ImageData, to id: UUID, from start: Double) async throws {
    enter(.pendingUpload, start)
    try Task.checkCancellation()
    enter(.uploading, start)
    let size = Double(max(data.byteCount, 1))
    try await sink.deliver(id, data) { sent in
      progress(
        Progress(phase: .uploading, fraction: start + (1 - start) * Double(sent) / size))
    }
  }

  /// Releases the point in time: what the mechanism pushed is undone, last first.
  private func putBack(to mark: UndoStack.Mark) async throws {
    if let leftover = await undo.unwind(to: mark).first {
      throw SnapshotError(
        .notRestored, "could not \(leftover.action.purpose) on \(facts.label): \(leftover.error)",
        remedy: "Do it by hand: `"
          + leftover.action.command(server: facts.domain.name, uri: facts.uri) + "`",
        cause: leftover.error)
    }
    log.info("\(facts.label) is as it was")
  }

  /// Looks at the finished file as the image service will: flat, of the right size.
  private func inspect(_ path: String) async throws {
    let info = try await qemuImg.info(path, format: plan.format.driver)
    let isFlat = info.backing == nil && info.layer.dataFile == nil
    guard isFlat, info.layer.virtualSize == plan.virtualSize else {
      throw SnapshotError(
        .badImage,
        "the finished image of disk '\(plan.disk.target)' "
          + (isFlat
            ? "is \(info.layer.virtualSize) bytes large and the disk \(plan.virtualSize)"
            : "is not flat"),
        remedy: "Try `--disk-format qcow2`; if that fails as well, report it")
    }
  }

  /// Which part of the run is over when the point in time is fixed, and when the file is there.
  private var shares: (fixed: Double, extracted: Double) {
    switch plan.mechanism {
    case .copy, .rebase: (0.3, 0.6)
    case .backup, .managedSave, .offline: (0, 0.4)
    }
  }

  private func enter(_ phase: Phase, _ fraction: Double) {
    log.info("\(phase.rawValue)")
    progress(Progress(phase: phase, fraction: fraction))
  }
}
