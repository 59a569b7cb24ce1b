internal import Libvirt
internal import Logging

/// Freezes the guest's file systems around one short moment, and thaws them whatever happens.
///
/// Acts first and tells afterwards: from the freeze to the thaw nothing is logged and the journal is
/// not written to.
struct Quiesce {
  let context: SnapshotContext

  /// How long the agent may take to freeze, in seconds.
  private static let freezeSeconds: Int32 = 20
  /// How long it may take to thaw, in seconds: Windows' VSS takes up to a minute.
  private static let thawSeconds: Int32 = 75
  /// How long it may take to show that it is there at all, in seconds.
  private static let probeSeconds: Int32 = 5
  /// When a thaw that has not returned costs the backup job: libvirt 9 loses an agent that died 30 s
  /// ago if the job still runs then.
  private static let patience = Duration.seconds(25)

  private var domain: Domain { context.domain }

  /// Runs the moment, within a freeze if the plan has one and the guest takes part.
  ///
  /// - Parameter ready: looked at last before the freeze, which must not wait for anything.
  /// - Returns: whether the guest was quiesced, which is in the context's record too.
  @discardableResult
  func around(
    _ moment: () async throws -> Void, ready: () async throws -> Void = {}
  ) async throws -> QuiesceOutcome {
    let outcome: QuiesceOutcome
    if context.plan.quiesce == .none {
      try await ready()
      try await moment()
      let reason = context.plan.reasons.first { $0.topic == "quiesce" }?.because
      outcome = .notQuiesced(because: reason ?? "it was not asked for")
    } else {
      outcome = try await bounded(moment, ready)
    }
    context.quiescing.set(outcome)
    return outcome
  }

  /// Puts the agent's time limit back, whatever happens in between.
  private func bounded(
    _ moment: () async throws -> Void, _ ready: () async throws -> Void
  ) async throws -> QuiesceOutcome {
    do {
      let outcome = try await attempt(moment, ready)
      try? await domain.setAgentTimeout(seconds: nil)
      return outcome
    } catch {
      try? await domain.setAgentTimeout(seconds: nil)
      throw error
    }
  }

  private func attempt(
    _ moment: () async throws -> Void, _ ready: () async throws -> Void
  ) async throws -> QuiesceOutcome {
    if let obstacle = try await agentObstacle() {
      try await ready()
      try await moment()
      return obstacle
    }
    let thaw = try await context.undo.push(.thaw)
    do {
      // After the journal is synced, which may take seconds.
      try await ready()
    } catch {
      await context.undo.forget(thaw)
      throw error
    }
    let begin: ContinuousClock.Instant
    let frozen: Int
    do {
      try await domain.setAgentTimeout(seconds: Quiesce.freezeSeconds)
      begin = .now
      frozen = try await domain.freeze()
    } catch {
      // The freeze may still take effect later: the thaw stays on the stack until one succeeds.
      try await context.undo.undo(thaw)
      let outcome = try giveUp("the freeze failed: \(error.message)", cause: error)
      try await moment()
      return outcome
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
    let thawed = try await thawed(thaw)
    let passed = (ContinuousClock.now - begin) / .milliseconds(1)
    await context.undo.forget(thaw)
    context.log.info(
      """
      froze \(frozen) file systems (virDomainFSFreeze) and thawed \(thawed) (virDomainFSThaw), \
      \(Int(passed.rounded())) ms after the freeze began
      """)
    guard let doubt = Quiesce.doubt(frozen: frozen, thawed: thawed) else {
      return .quiesced(fileSystems: frozen)
    }
    return try giveUp(doubt, cause: nil)
  }

  /// Why a freeze and a thaw that both succeeded prove nothing, if that is so.
  ///
  /// - Parameters:
  ///   - frozen: how many file systems the agent says it froze.
  ///   - thawed: how many it says it thawed; fewer if someone else had thawed them before.
  static func doubt(frozen: Int, thawed: Int) -> String? {
    if frozen == 0 { return "the guest agent froze no file system" }
    return thawed == 0
      ? "the guest thawed its file systems by itself before the moment was over" : nil
  }

  /// Thaws a guest that was frozen.
  ///
  /// - Returns: how many file systems; 0 if the guest had thawed itself.
  private func thawed(_ thaw: UndoStack.Mark) async throws -> Int {
    let isBackup = context.plan.mechanism == .backup
    do {
      try? await domain.setAgentTimeout(seconds: Quiesce.thawSeconds)
      return try await domain.thaw(within: isBackup ? Quiesce.patience : nil)
    } catch {
      if error.code != .agentUnresponsive, error.code != .operationTimeout {
        // The agent has answered: VSS ends a freeze after 10 s and says so now.
        if (try? await domain.thaw()) != nil { return 0 }
      }
      try await recover(thaw, from: error)
    }
  }

  /// The agent that froze the guest has gone. It may come back, but libvirt 9 loses one that does
  /// during a backup job: the guest comes before the snapshot.
  ///
  /// libvirt's one thread for events waits up to 30 s for that job before it takes note of the
  /// agent's end, and then forgets it. `virDomainAbortJob` needs the same thread for the job's end; a
  /// block job that is aborted is waited for in the call, and the thread goes on.
  private func recover(_ thaw: UndoStack.Mark, from cause: LibvirtError) async throws -> Never {
    let label = context.facts.label
    if context.plan.mechanism == .backup {
      try? await domain.abortBlockJob(onDisk: context.plan.disk.target)
    }
    try? await context.undo.undo { if case .abortBackup = $0 { true } else { false } }
    do {
      try await context.undo.undo(thaw)
    } catch {
      context.log.warning("\(label) could not be thawed: \(cause.message)")
      throw error
    }
    context.log.warning("\(label) could not be thawed at once: \(cause.message)")
    throw SnapshotError(
      .notQuiesced,
      "the guest agent of \(label) did not thaw the guest in time; it is thawed now",
      remedy: "Check the guest's log for why. A guest that takes longer than "
        + "\(Quiesce.patience.components.seconds) s to thaw needs `--mechanism copy` or "
        + "`--quiesce never`",
      cause: cause)
  }

  /// Asks before freezing: an agent that hangs would hold the guest's moment up, and one that
  /// refuses may serve a guest that someone else has frozen, whose thaw is not ours.
  ///
  /// - Returns: why there is no freeze; nil if the agent answers.
  private func agentObstacle() async throws -> QuiesceOutcome? {
    do {
      try await domain.setAgentTimeout(seconds: Quiesce.probeSeconds)
      try await domain.askAgentForTime()
      return nil
    } catch {
      return try giveUp("the guest agent did not answer: \(error.message)", cause: error)
    }
  }

  private func giveUp(_ reason: String, cause: LibvirtError?) throws -> QuiesceOutcome {
    guard context.plan.quiesce == .require else {
      context.log.warning("not quiesced: \(reason)")
      return .notQuiesced(because: reason)
    }
    throw SnapshotError(
      .notQuiesced, "\(context.facts.label) could not be quiesced: \(reason)",
      remedy: "Check the guest agent in the guest, or use `--quiesce auto`", cause: cause)
  }
}
