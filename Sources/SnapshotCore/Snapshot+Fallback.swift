internal import Libvirt
internal import Logging

extension Snapshot {
  /// An open point in time, and the plan that led to it.
  struct Fixed {
    let snapshot: Snapshot
    let context: SnapshotContext
    let source: DiskFile
  }

  /// Fixes the point in time. If the mechanism is refused when it begins, everything of that attempt
  /// is undone and the next one is tried that keeps the guest up.
  ///
  /// - Throws: what the last mechanism threw; `noSpace` if another one needs more than there is.
  func fixPointInTime(in workspace: Workspace, undo: UndoStack) async throws -> Fixed {
    var alternatives = plan.alternatives
    var attempt = self
    while true {
      let context = attempt.context(in: workspace, undo: undo)
      let start = undo.mark()
      do {
        let source = try await attempt.plan.mechanism.fix(context)
        context.instant.noteIfUnknown()
        return Fixed(snapshot: attempt, context: context, source: source)
      } catch {
        guard !Task.isCancelled,
          let refusal = BeginRefusal(error, spoolFolder: place.spoolFolder)
        else { throw error }
        guard !alternatives.isEmpty else { throw attempt.failure(refusal, cause: error) }
        try await context.putBack(to: start)
        let refused = attempt.plan.mechanism.rawValue
        attempt.plan = alternatives.removeFirst()
        let hint = refusal.hint.map { "; \($0)" } ?? ""
        log.warning(
          """
          \(refused) was refused, trying \(attempt.plan.mechanism.rawValue): \(refusal.reason)\(hint)
          """)
        _ = try await attempt.checkSpace()
      }
    }
  }

  private func context(in workspace: Workspace, undo: UndoStack) -> SnapshotContext {
    let fixed = shares.fixed
    return SnapshotContext(
      domain: domain, facts: facts, plan: plan, undo: undo, workspace: workspace,
      qemuImg: qemuImg, log: log,
      progress: { [progress] in progress(Progress(phase: .snapshot, fraction: fixed * $0)) })
  }

  private func failure(_ refusal: BeginRefusal, cause: any Error) -> SnapshotError {
    let mechanism = plan.mechanism.rawValue
    let other =
      facts.isPersistent
      ? "Use `--cold`, which stops the guest while its disk is read"
      : "Shut the server down and try again"
    return SnapshotError(
      .libvirtFailed, "\(mechanism) was refused on \(facts.label): \(refusal.reason)",
      remedy: refusal.hint.map { $0.prefix(1).uppercased() + $0.dropFirst() } ?? other,
      cause: cause)
  }
}
