internal import Libvirt
internal import Logging

/// Freezes the guest's file systems around one short moment, and thaws them whatever happens.
struct Quiesce {
  let context: SnapshotContext

  /// How long the agent may take to answer, in seconds.
  private static let agentSeconds: Int32 = 20
  /// How long it may take to show that it is there at all, in seconds.
  private static let probeSeconds: Int32 = 5

  /// Runs the moment, within a freeze where the plan has one and the guest takes part.
  ///
  /// - Parameter ready: looked at last before the freeze, which is not to wait for anything.
  func around(
    _ moment: () async throws -> Void, ready: () async throws -> Void = {}
  ) async throws {
    guard context.plan.quiesce != .none else {
      try await ready()
      return try await moment()
    }
    let thawed: UndoStack.Mark?
    do {
      thawed = try await attempt(moment, ready)
    } catch {
      try? await context.domain.setAgentTimeout(seconds: nil)
      throw error
    }
    try? await context.domain.setAgentTimeout(seconds: nil)
    if let thawed { await context.undo.forget(thawed) }
  }

  /// - Returns: the thaw, which is done and may be forgotten; nil where nothing is frozen.
  private func attempt(
    _ moment: () async throws -> Void, _ ready: () async throws -> Void
  ) async throws -> UndoStack.Mark? {
    guard try await agentAnswers() else {
      try await ready()
      try await moment()
      return nil
    }
    try await ready()
    let thaw = try await context.undo.push(.thaw)
    let begin: ContinuousClock.Instant
    do {
      try await context.domain.setAgentTimeout(seconds: Quiesce.agentSeconds)
      begin = .now
      let count = try await context.domain.freeze()
      context.log.info("froze \(count) file systems (virDomainFSFreeze)")
    } catch {
      // The freeze may still take effect later: the thaw stays on the stack until one succeeds.
      try await context.undo.undo(thaw)
      try giveUp("the freeze failed: \(error.message)", cause: error)
      try await moment()
      return nil
    }
    let faults = FaultPoints()
    faults.pass(before: "frozen")
    do {
      try await moment()
    } catch {
      try? await context.undo.undo(thaw)
      throw error
    }
    faults.pass(after: "frozen")
    do {
      try await context.domain.thaw()
    } catch {
      try await recover(thaw, from: error)
    }
    let passed = (ContinuousClock.now - begin) / .milliseconds(1)
    context.log.info("thawed (virDomainFSThaw), \(Int(passed.rounded())) ms after the freeze began")
    return thaw
  }

  /// The agent that froze the guest has gone. It may come back, but libvirt 9 loses one that does
  /// during a backup job: the guest comes before the snapshot.
  ///
  /// libvirt's one thread for events waits up to 30 s for that job before it takes note of the
  /// agent's end, and then forgets it. `virDomainAbortJob` needs the same thread for the job's end; a
  /// block job that is aborted is waited for in the call, and the thread goes on.
  private func recover(_ thaw: UndoStack.Mark, from cause: LibvirtError) async throws {
    let label = context.facts.label
    context.log.warning("\(label) could not be thawed at once: \(cause.message)")
    if context.plan.mechanism == .backup {
      try? await context.domain.abortBlockJob(onDisk: context.plan.disk.target)
    }
    try? await context.undo.undo { if case .abortBackup = $0 { true } else { false } }
    try await context.undo.undo(thaw)
    throw SnapshotError(
      .notQuiesced,
      "the guest agent of \(label) stopped answering while the guest was frozen; it is thawed now",
      remedy: "Look in the guest why the agent ended, or use `--quiesce never`", cause: cause)
  }

  /// Asks before freezing: an agent that hangs would hold the guest's moment up, and one that
  /// refuses may serve a guest that someone else has frozen, whose thaw is not ours.
  private func agentAnswers() async throws -> Bool {
    do {
      try await context.domain.setAgentTimeout(seconds: Quiesce.probeSeconds)
      try await context.domain.askAgentForTime()
      return true
    } catch {
      try giveUp("the guest agent did not answer: \(error.message)", cause: error)
      return false
    }
  }

  private func giveUp(_ reason: String, cause: LibvirtError) throws {
    guard context.plan.quiesce == .require else {
      context.log.warning("not quiesced: \(reason)")
      return
    }
    throw SnapshotError(
      .notQuiesced, "\(context.facts.label) could not be quiesced: \(reason)",
      remedy: "Check the guest agent in the guest, or use `--quiesce auto`", cause: cause)
  }
}
