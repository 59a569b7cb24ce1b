internal import Foundation
internal import Libvirt
internal import Logging

/// The live way by block job: mirror the disk's top layer into a delta of the same backing file,
/// and end the job when it has caught up. The delta is then the disk at that instant.
struct Mirror {
  let context: SnapshotContext
  let mechanism: Mechanism

  /// The delta's name in the folder that QEMU reaches.
  private static let targetName = "delta.qcow2"

  /// Whether a path is a mirror's file, or the folder of a run that has one.
  static func hasTarget(_ path: String) -> Bool {
    path.hasSuffix("/" + targetName)
      || FileManager.default.fileExists(atPath: Workspace.pathForQEMU(targetName, in: path))
      // Where version 0.1.0 had it, whose journals are recovered, too.
      || FileManager.default.fileExists(atPath: path + "/" + targetName)
  }

  /// How long a job may go without progress before it is given up.
  static let stallLimit = Duration.seconds(120)

  private var disk: String { context.plan.disk.target }

  func fix() async throws -> DiskFile {
    let delta = context.workspace.pathForQEMU(Mirror.targetName)
    try await createDelta(delta)
    let definition = try await undefineIfNeeded()
    let job = try await context.undo.push(.abortMirror(disk: disk, target: delta))
    do {
      try await start(delta)
    } catch let error as LibvirtError {
      throw HiddenMount.explain(error, in: context)
    }
    // A disk with a job can have no snapshot and no commit: what it is now, it is at the end.
    try await DiskComparison(context: context).checkLayers()
    try await waitUntilReady(delta)
    try await end()
    await context.undo.forget(job)
    if let definition { try await context.undo.undo(definition) }
    return DiskFile(try await finished(delta), isOwn: true)
  }

  /// Looks at the delta once more before we open it: QEMU has written it, header and all.
  private func finished(_ delta: String) async throws -> StorageNode {
    let below = StorageNode(chain: context.chain.dropFirst())
    let info = try await ChainReader(qemuImg: context.qemuImg).inspect(delta, format: "qcow2")
    guard info.backing?.path == below?.label, !info.layer.isBlockDevice else {
      throw SnapshotError(
        .mirrorFailed,
        "the mirror of disk '\(disk)' of \(context.facts.label) has "
          + "\(info.backing?.path ?? "nothing") below it and not \(below?.label ?? "nothing")",
        remedy: "Check whether the server's QEMU can be trusted, then run the command again")
    }
    return StorageNode(info.layer, below: below)
  }

  private func createDelta(_ path: String) async throws {
    let chain = context.chain
    try await context.undo.push(.removeFile(path: path))
    let own = context.workspace.path(Mirror.targetName)
    try await context.qemuImg.create(
      own, size: context.plan.virtualSize, over: chain.dropFirst().first,
      clusterSize: chain.first?.format == .qcow2 ? chain.first?.clusterSize : nil)
    try context.workspace.handOver(own, to: path)
  }

  /// `virDomainBlockRebase` refuses a persistent domain.
  private func undefineIfNeeded() async throws -> UndoStack.Mark? {
    guard mechanism == .rebase, context.facts.isPersistent else { return nil }
    let domain = context.domain
    let path = context.workspace.definitionPath(of: domain.uuid)
    let mark = try await context.undo.push(
      .define(xmlPath: path, autostarts: context.facts.autostarts))
    try context.workspace.saveDefinition(try await domain.xml([.secure, .inactive]), to: path)
    var keep: Domain.Keep = []
    if context.facts.daemonVersion >= Version(2, 3) { keep.insert(.nvram) }
    if context.facts.daemonVersion >= Version(8, 9) { keep.insert(.tpm) }
    context.log.info("undefining for the time of the block job; the definition is in \(path)")
    try await domain.undefine(keeping: keep)
    return mark
  }

  private func start(_ delta: String) async throws {
    switch mechanism {
    case .rebase:
      context.log.info("mirroring disk '\(disk)' (virDomainBlockRebase)")
      try await context.domain.startRebase(ofDisk: disk, to: delta)
    default:
      context.log.info("mirroring disk '\(disk)' (virDomainBlockCopy)")
      try await context.domain.startCopy(
        ofDisk: disk,
        toXML: """
          <disk type='file'><driver type='qcow2'/>\
          <source file='\(delta.escapedForXML)'/></disk>
          """)
    }
  }

  /// Waits for `<mirror ready='yes'>`: `cur == end` is not readiness, and no job is no success.
  private func waitUntilReady(_ delta: String) async throws {
    var watch = ProgressWatch(limit: Mirror.stallLimit)
    var pace = PollPace()
    while true {
      try Task.checkCancellation()
      guard let job = try await context.domain.blockJob(onDisk: disk) else { throw endedEarly(nil) }
      // The domain's XML alone says that it is ready, which it can't be before.
      if job.current >= job.end, try await isReady(delta) {
        context.progress(1)
        return
      }
      if job.end > 0 { context.progress(Double(job.current) / Double(job.end)) }
      guard watch.sees(job.current, at: .now) else {
        throw SnapshotError(
          .mirrorFailed,
          "the mirror of disk '\(disk)' of \(context.facts.label) made no progress "
            + "for \(Mirror.stallLimit.components.seconds) s at \(job.current) of \(job.end)",
          remedy: "Check the disk and the spool folder's file system, then try again")
      }
      try await Task.sleep(for: pace.next())
    }
  }

  /// - Throws: `mirrorFailed` if the mirror is not ours any more.
  private func isReady(_ delta: String) async throws -> Bool {
    let mirror = try await DomainXML.parse(context.domain.xml()).disks
      .first { $0.target == disk }?.mirror
    guard let mirror, mirror.path == delta else { throw endedEarly(nil) }
    return mirror.isReady
  }

  /// Ends the job: the point in time. One that ended before has none.
  private func end() async throws {
    var isEnded = false
    do {
      try await Quiesce(context: context).around {
        try await context.domain.abortBlockJob(onDisk: disk)
        context.instant.note()
        isEnded = true
      }
    } catch let error as LibvirtError where !isEnded {
      // Asked now that the guest is thawed: it does not wait for an explanation.
      throw try await context.domain.blockJob(onDisk: disk) == nil ? endedEarly(error) : error
    }
  }

  private func endedEarly(_ cause: LibvirtError?) -> SnapshotError {
    SnapshotError(
      .mirrorFailed,
      "the mirror of disk '\(disk)' of \(context.facts.label) ended before the point in time "
        + "was fixed",
      remedy: "Look in /var/log/libvirt/qemu/\(context.facts.domain.name).log; the guest may "
        + "have stopped, the spool folder may be full, or someone may have ended the job",
      cause: cause)
  }
}

/// Tells a job that stands still from one that moves.
struct ProgressWatch: Sendable {
  let limit: Duration
  private var last: UInt64?
  private var since = ContinuousClock.now

  init(limit: Duration) { self.limit = limit }

  /// Takes a reading; false once nothing has changed for longer than the limit.
  mutating func sees(_ value: UInt64, at now: ContinuousClock.Instant) -> Bool {
    if value != last {
      last = value
      since = now
    }
    return now - since <= limit
  }
}

extension String {
  /// The text as an XML attribute value between apostrophes.
  var escapedForXML: String {
    replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("'", with: "&apos;")
  }
}
