internal import Libvirt
internal import Synchronization

/// A managed save of ours under way, which may have to be called off.
///
/// `virDomainAbortJob` ends whatever job there is. Ours may still wait in line behind a stranger's
/// dump or migration: that one goes on, and ours is ended once it has begun.
final class OwnSave: Sendable {
  private let began = ContinuousClock.now
  private let isOver = Mutex(false)

  private static let interval = Duration.milliseconds(50)

  /// Saves the guest; a cancellation calls it off.
  func run(_ domain: Domain) async throws {
    defer { isOver.withLock { $0 = true } }
    try await withTaskCancellationHandler {
      try await domain.managedSave()
    } onCancel: {
      // The save goes on in the daemon unless it is told; the guest then runs on.
      Task.detached { await self.callOff(domain) }
    }
  }

  /// Looks for our job until it was ended, or the save has returned.
  private func callOff(_ domain: Domain) async {
    while !isOver.withLock({ $0 }) {
      if let job = try? await domain.jobStatus(), OwnSave.isOurs(job, at: .now, since: began) {
        // Once more if it fails: a save ends early or not at all.
        if (try? await domain.abortJob()) != nil { return }
      }
      try? await Task.sleep(for: OwnSave.interval)
    }
  }

  /// Whether a job is the save that was asked for at a time.
  ///
  /// - Parameter now: when the daemon had said how long the job has been under way.
  static func isOurs(
    _ job: JobStatus, at now: ContinuousClock.Instant, since began: ContinuousClock.Instant
  ) -> Bool {
    guard job.isSave, let elapsed = job.elapsed else { return false }
    // One that began before was somebody else's `virsh save`.
    return elapsed <= now - began
  }
}
