internal import Libvirt
internal import Logging
internal import Synchronization
internal import SystemPackage

/// Looks after an open backup job while it is read.
///
/// QEMU stops a guest whose write can't be kept in the scratch file: the job is ended before the
/// file system is full. And what reads only sees its connection break: why is asked here.
struct BackupWatch {
  let context: SnapshotContext

  /// The job is ended when fewer bytes are free and the scratch file may need them.
  static let reserve: UInt64 = 64 << 20
  /// How long to look for what ended the reading.
  private static let patience = Duration.seconds(3)
  /// How often that is looked at.
  private static let interval = Duration.milliseconds(100)

  func around(_ body: () async throws -> Void) async throws {
    let wasFull = Mutex(false)
    let (context, folder) = (context, context.workspace.folder)
    let watch = Task.detached {
      while !Task.isCancelled {
        if BackupWatch.isNearlyFull(folder, growsTo: context.plan.virtualSize) {
          wasFull.withLock { $0 = true }
          context.log.warning("ending the backup job: \(folder) is nearly full")
          try? await context.undo.undo { if case .abortBackup = $0 { true } else { false } }
          return
        }
        try? await Task.sleep(for: BackupWatch.interval)
      }
    }
    let result: Result<Void, any Error>
    do {
      try await body()
      result = .success(())
    } catch {
      result = .failure(error)
    }
    watch.cancel()
    await watch.value
    guard case .failure(let error) = result else { return }
    if wasFull.withLock({ $0 }) { throw full(folder, cause: error) }
    let isReadFailure = (error as? SnapshotError).map {
      $0.code == .unreadableDisk || $0.code == .programFailed
    }
    guard isReadFailure == true, !Task.isCancelled else { throw error }
    // The daemon learns a little later than the reader that the guest has gone, and drops its job
    // before it says so: only a job that is missing to the end was ended by someone.
    let end = ContinuousClock.now + BackupWatch.patience
    while true {
      let isOver = ContinuousClock.now >= end || Task.isCancelled
      if let reason = await reason(of: error), isOver || reason.code != .backupEnded {
        throw reason
      }
      guard !isOver else { throw error }
      try? await Task.sleep(for: BackupWatch.interval)
    }
  }

  /// - Parameter size: the disk's size: no scratch file gets larger.
  static func isNearlyFull(_ folder: String, growsTo size: UInt64) -> Bool {
    guard let free = Workspace.freeBytes(in: folder), free < reserve else { return false }
    let scratch = try? FilePath(folder + "/" + Backup.scratchName).stat().blocksAllocated
    return free < size - min(size, UInt64(scratch ?? 0) * 512)
  }

  private func full(_ folder: String, cause: any Error) -> SnapshotError {
    SnapshotError(
      .noSpace,
      "the spool folder \(folder) was nearly full and \(context.facts.label) went on writing: the "
        + "backup job was ended before the guest had to stop",
      remedy: "Free some space there, or name another folder with --spool-dir", cause: cause)
  }

  /// What happened to the server or the job, where that is why nothing more could be read.
  private func reason(of error: any Error) async -> SnapshotError? {
    let label = context.facts.label
    var state: DomainState?
    do {
      state = try await context.domain.state()
    } catch {
      // A daemon that can't be asked says nothing about the server.
      guard error.code == .noDomain else { return nil }
    }
    guard state == .running || state == .blocked || state == .paused else {
      return SnapshotError(
        .serverStopped,
        "\(label) stopped while its disk was read: it is \(state?.description ?? "gone")",
        remedy: "Find out who stopped it, then run this again", cause: error)
    }
    let job: String?
    do { job = try await context.domain.backupXML() } catch { return nil }
    guard job?.contains(context.workspace.folder) == true else {
      return SnapshotError(
        .backupEnded, "someone ended the backup job of \(label) while it was read",
        remedy: "Find out who runs `virsh domjobabort`, then try again", cause: error)
    }
    return nil
  }
}
