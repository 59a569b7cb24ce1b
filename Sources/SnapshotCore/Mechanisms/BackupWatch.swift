internal import Libvirt
internal import Logging
internal import Synchronization
internal import SystemPackage

/// Looks after an open backup job while it is read.
///
/// QEMU stops a guest whose write can't be kept in the scratch file: the job is ended before the
/// file system is full. A full quota, which no file system tells, is seen by the guest that stopped.
/// And what reads only sees its connection break: why is asked here.
struct BackupWatch {
  let context: SnapshotContext

  /// The job is ended when fewer bytes are free and the scratch file may need them; more if it grows
  /// fast.
  static let reserve = ScratchRoom.least
  /// How long to look for what ended the reading.
  private static let patience = Duration.seconds(3)
  /// How often that is looked at.
  private static let interval = Duration.milliseconds(100)

  /// Why the job was ended.
  private enum Ending {
    case nearlyFull
    case guestStopped
  }

  func around(_ body: () async throws -> Void) async throws {
    let ending = Mutex<Ending?>(nil)
    let watch = Task.detached { [self] in
      guard let found = await obstacle() else { return }
      ending.withLock { $0 = found }
      // First the remedy: the guest waits, or will in a moment.
      try? await context.undo.undo { if case .abortBackup = $0 { true } else { false } }
      context.log.warning("ended the backup job: \(reason(of: found))")
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
    if let ending = ending.withLock({ $0 }) { throw full(ending, cause: error) }
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

  /// Looks until the job must be ended; often if there is little room, and else once a second.
  ///
  /// - Returns: why; nil when the reading is over.
  private func obstacle() async -> Ending? {
    let folder = context.workspace.folder
    let scratch = FilePath(Backup.scratchPath(in: context.workspace))
    let wasRunning = context.facts.state != .paused
    var room = ScratchRoom(size: context.plan.virtualSize)
    var asked: ContinuousClock.Instant?
    while !Task.isCancelled {
      var pause = ScratchRoom.longestPause
      if let free = Workspace.freeBytes(in: folder) {
        // Its length: what a file system allocates in advance is not what the guest writes.
        let length = (try? scratch.stat().size).map { UInt64($0) } ?? 0
        guard let next = room.look(free: free, scratch: length, at: .now) else {
          return .nearlyFull
        }
        pause = next
      }
      if wasRunning, asked.map({ .now - $0 >= ScratchRoom.longestPause }) ?? true {
        asked = .now
        if (try? await context.domain.isPausedByDiskError()) == true { return .guestStopped }
      }
      try? await Task.sleep(for: pause)
    }
    return nil
  }

  private func reason(of ending: Ending) -> String {
    let folder = context.workspace.folder
    return switch ending {
    case .nearlyFull: "\(folder) is nearly full"
    case .guestStopped:
      "a disk error stopped \(context.facts.label); \(folder) may be full or its quota used up"
    }
  }

  private func full(_ ending: Ending, cause: any Error) -> SnapshotError {
    let (folder, label) = (context.workspace.folder, context.facts.label)
    return switch ending {
    case .nearlyFull:
      SnapshotError(
        .noSpace,
        "the spool folder \(folder) was nearly full and \(label) went on writing: the "
          + "backup job was ended before the guest had to stop",
        remedy: "Free some space there, or name another folder with --spool-dir", cause: cause)
    case .guestStopped:
      SnapshotError(
        .noSpace,
        "a disk error stopped \(label) during the backup: the job was ended and the guest resumed; "
          + "the spool folder \(folder) was full, or a quota of QEMU's user was used up",
        remedy: "Check the space and the quota there, or name another folder with --spool-dir",
        cause: cause)
    }
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
