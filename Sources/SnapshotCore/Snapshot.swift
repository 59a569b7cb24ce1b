internal import Foundation
public import Libvirt
public import Logging

/// One run: from a plan to an image in the image service, with the server put back as it was.
public struct Snapshot: Sendable {
  let domain: Domain
  let facts: Facts
  /// What is done; another one if its mechanism was refused when it began.
  var plan: Plan
  let sink: any ImageSink
  let place: Workspace.Place
  private let labels: [String: String]
  let log: Logger
  let progress: @Sendable (Progress) -> Void
  private let patience: ImageUpload.Patience
  let qemuImg = QemuImg()

  /// Prepares a run; touches nothing.
  ///
  /// - Parameters:
  ///   - retries: how often a failed upload is begun again.
  ///   - labels: properties to record together with how the image was taken, for which a service that
  ///     refuses them gets the image all the same.
  public init(
    domain: Domain, facts: Facts, plan: Plan, sink: any ImageSink, place: Workspace.Place,
    retries: Int, labels: [String: String], log: Logger,
    progress: @escaping @Sendable (Progress) -> Void
  ) {
    self.domain = domain
    self.facts = facts
    self.plan = plan
    self.sink = sink
    self.place = place
    self.labels = labels
    self.log = log
    self.progress = {
      progress($0)
      FaultPoints().pass(at: $0.fraction)
    }
    patience = ImageUpload.Patience(retries: retries)
  }

  /// Checks that the spool folder can be used, or created, and takes the worst case; touches nothing.
  ///
  /// - Throws: `spoolFailed`, `noSpace` with the needed and the free bytes, `unreadableDisk`.
  /// - Returns: how many bytes of data there are to read, about.
  public func checkSpool() async throws -> UInt64 {
    if plan.mechanism == .backup || plan.delivery == .stream {
      try Workspace.checkSocketPath(in: place)
    }
    try Workspace.check(place, owner: facts.domain.owner)
    return try await checkSpace()
  }

  /// Creates the spool folder, if it is missing.
  ///
  /// - Throws: `spoolFailed`.
  public func prepareSpool() throws {
    try Workspace.prepare(place, owner: facts.domain.owner)
  }

  func checkSpace() async throws(SnapshotError) -> UInt64 {
    try await SpaceCheck(facts: facts, plan: plan, place: place, qemuImg: qemuImg).run()
  }

  /// Takes the snapshot and delivers it as `image`, or as one like it with another id where the
  /// image service failed in between.
  ///
  /// On failure everything is still on the undo stack: the caller unwinds it.
  ///
  /// - Parameters:
  ///   - readSize: what ``checkSpool()`` said, for the progress.
  ///   - undo: takes back whatever is acquired.
  /// - Throws: `SnapshotError`, `LibvirtError`, what the sink threw, `CancellationError`.
  public func run(_ image: ImageDescription, reading readSize: UInt64, undo: UndoStack)
    async throws
  {
    enter(.snapshotPending, 0)
    var upload = ImageUpload(image, to: sink, undo: undo, patience: patience, log: log)
    try await upload.reserve()

    let folder = Workspace.newFolder(in: place)
    try await undo.push(.removeFolder(path: folder))
    let workspace = try Workspace(folder, in: place, owner: facts.domain.owner)
    enter(.snapshot, 0)
    let before = undo.mark()
    let fixed = try await fixPointInTime(in: workspace, undo: undo)
    let mechanism = fixed.snapshot.plan.mechanism.rawValue
    log.info("the point in time is fixed (\(mechanism))")
    try Task.checkCancellation()
    upload.record(labels.merging(Provenance(fixed).properties) { _, own in own })
    try await fixed.snapshot.deliver(
      fixed, reading: readSize, putBackTo: before, over: &upload)
    await upload.keep()
  }

  /// Gets the point in time to the image service.
  private func deliver(
    _ fixed: Fixed, reading readSize: UInt64, putBackTo before: UndoStack.Mark,
    over upload: inout ImageUpload
  ) async throws {
    let (context, source) = (fixed.context, fixed.source)
    let workspace = context.workspace
    // The plan counted on a clone: without one the guest is not kept down for a whole upload.
    let isStreamed =
      plan.delivery == .stream
      && (plan.downtime != .untilCloned || source.isOwn || plan.isDeliveryForced)
    if !isStreamed || source.needsServer {
      try await context.undo.push(.endPrograms(folder: workspace.folder))
    }
    if isStreamed {
      try await context.lookingAfter(source) {
        try await stream(source, in: workspace, over: &upload)
      }
      // The caller puts the server back: trouble with that is no reason to lose the image.
    } else {
      let file = workspace.path("image.\(plan.format.name)")
      try await context.lookingAfter(source) {
        try await convert(source, to: file, in: workspace, reading: readSize)
      }
      try await context.putBack(to: before)
      let size = try await inspect(file)
      try await send(.file(path: file, byteCount: size), over: &upload, from: shares.extracted)
    }
  }

  /// Writes the flat image to the spool folder.
  ///
  /// - Parameter size: how many bytes of data there are to read.
  private func convert(
    _ source: DiskFile, to path: String, in workspace: Workspace, reading size: UInt64
  ) async throws {
    var compression: QemuImg.Compression?
    if plan.compresses {
      compression = try await qemuImg.compression(probe: workspace.path("probe.qcow2"))
    }
    let (start, share) = (shares.fixed, shares.extracted - shares.fixed)
    let total = Int64(clamping: size)
    try await qemuImg.convert(source.node, to: path, format: plan.format, compression: compression)
    {
      let bytes = Progress.Bytes(done: Int64(Double(total) * $0), total: total)
      progress(Progress(phase: .snapshot, fraction: start + share * $0, bytes: bytes))
    }
  }

  /// Makes the image while the open point in time is read, and sends it.
  private func stream(
    _ source: DiskFile, in workspace: Workspace, over upload: inout ImageUpload
  ) async throws {
    // A read that waits for the NBD server must not outlive the run.
    let cancellation = NBDCancellation()
    try await withTaskCancellationHandler {
      if let export = source.export {
        try await stream(export, cancellation, over: &upload)
      } else {
        try await QemuNbd().serve(source.node, in: workspace, cancellation: cancellation) {
          try await stream($0, cancellation, over: &upload)
        }
      }
    } onCancel: {
      cancellation.cancel()
    }
  }

  private func stream(
    _ export: NBDExport, _ cancellation: NBDCancellation, over upload: inout ImageUpload
  ) async throws {
    guard let format = plan.format.streamed else {
      throw SnapshotError(
        .notPossible, "\(plan.format) can't be streamed", remedy: "Use --spool")
    }
    let disk = try await BlockingCall.run { () throws(SnapshotError) in
      try EncodedDisk(
        format, looksForZeros: plan.downtime != .untilSent,
        progress: { done, total in
          // The share of the run is not known: only the bytes move.
          progress(
            Progress(
              phase: .snapshot, fraction: shares.fixed,
              bytes: .init(done: Int64(clamping: done), total: Int64(clamping: total))))
        },
        from: { () throws(SnapshotError) in
          try NBDDiskSource(export, cancellation: cancellation)
        })
    }
    guard disk.diskSize == plan.virtualSize else {
      throw SnapshotError(
        .badImage,
        "the NBD export of disk '\(plan.disk.target)' has \(disk.diskSize) bytes and not "
          + "\(plan.virtualSize)",
        remedy: "Check whether the disk was resized, then run the command again")
    }
    try await send(.stream(disk), over: &upload, from: shares.fixed)
  }

  /// Sends the image's data; `start` is the fraction of the run that is over by then.
  private func send(
    _ data: ImageData, over upload: inout ImageUpload, from start: Double
  ) async throws {
    enter(.pendingUpload, start)
    try Task.checkCancellation()
    enter(.uploading, start)
    let total = data.byteCount
    try await upload.send(data) { sent in
      let fraction = start + (1 - start) * Double(sent) / Double(max(total, 1))
      let bytes = Progress.Bytes(done: sent, total: total)
      progress(Progress(phase: .uploading, fraction: fraction, bytes: bytes))
    }
  }

  /// Looks at the finished file as the image service will: flat, of the right size.
  ///
  /// - Returns: the file's length in bytes.
  private func inspect(_ path: String) async throws -> Int64 {
    let info = try await qemuImg.info(
      StorageNode(.file(path), format: plan.format.driver))
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
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return (attributes[.size] as? NSNumber)?.int64Value ?? 0
  }

  /// Which part of the run is over when the point in time is fixed, and when the file is there.
  var shares: (fixed: Double, extracted: Double) {
    switch plan.mechanism {
    case .copy, .rebase: (0.3, 0.6)
    case .backup, .managedSave, .offline: (0, 0.4)
    }
  }

  private func enter(_ phase: Progress.Phase, _ fraction: Double) {
    log.info("\(phase.rawValue)")
    progress(Progress(phase: phase, fraction: fraction))
  }
}
