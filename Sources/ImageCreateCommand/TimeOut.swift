internal import SnapshotCore

/// `--timeout`: bounds the whole run, the undoing that follows not counted.
enum TimeOut {
  /// Returns when the time is over and the run was told to stop.
  ///
  /// - Throws: `CancellationError` if the run ended before, or has no limit.
  static func watch(_ limit: TimeLimit?, stop: () -> Void) async throws {
    guard let limit else { throw CancellationError() }
    try await Task.sleep(for: limit.duration)
    stop()
  }

  static func error(_ limit: TimeLimit, session: Session) -> SnapshotError {
    SnapshotError(
      .timedOut,
      "the run took longer than \(limit.text) (--timeout); "
        + (session.pendingCommands.isEmpty
          ? "everything was undone" : "what was not undone is listed above"),
      remedy: "Use --poll to see its progress, and allow more time")
  }
}
