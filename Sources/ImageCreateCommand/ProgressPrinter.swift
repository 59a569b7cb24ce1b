internal import SnapshotCore
internal import Synchronization

/// Prints nova's progress lines: one live line on a terminal, one line per 10 % elsewhere; behind
/// the per cent, the phase's bytes, rate and time left.
///
/// Reports come from where an upload reads its bytes: one that prints nothing costs next to nothing,
/// and one that does only puts a line in a queue.
final class ProgressPrinter: Sendable {
  private struct State {
    var percent = -1
    var meter = TransferMeter()
    /// When a line was printed last.
    var printed: ContinuousClock.Instant?
  }

  /// A terminal's line moves at least so often while bytes do.
  private static let refresh = Duration.milliseconds(500)

  private let isOn: Bool
  private let isTerminal: Bool
  private let write: @Sendable (String, OutputQueue.Kind) -> Void
  private let state = Mutex(State())

  init(
    isOn: Bool, isTerminal: Bool,
    write: @escaping @Sendable (String, OutputQueue.Kind) -> Void = Terminal.output
  ) {
    self.isOn = isOn
    self.isTerminal = isTerminal
    self.write = write
  }

  /// nova begins with an empty line.
  func start() {
    guard isOn else { return }
    write("\n", .result)
    print(0, nil)
  }

  /// Takes how far the run is. 100 % is said by `finish` only, and nothing goes back.
  func report(_ progress: Snapshot.Progress) {
    guard isOn else { return }
    let percent = progress.fraction * 100
    print(percent.isNaN ? 0 : Int(min(max(percent, 0), 99)), progress)
  }

  func finish() {
    guard isOn else { return }
    print(100, nil)
    write(isTerminal ? "\nFinished\n" : "Finished\n", .result)
  }

  func fail() {
    guard isOn else { return }
    write(isTerminal ? "\nError snapshotting server\n" : "Error snapshotting server\n", .result)
  }

  private func print(_ percent: Int, _ progress: Snapshot.Progress?) {
    // Put in line under the lock, so that a late callback can't print a smaller number.
    state.withLock { state in
      let now = ContinuousClock.now
      if let progress { state.meter.take(progress, at: now) }
      let step = max(isTerminal ? percent : percent / 10 * 10, state.percent)
      // Only a terminal's line is written again for the same per cent, and only for its bytes.
      let isDue =
        isTerminal && progress?.bytes != nil && percent < 100
        && state.printed.map { now - $0 >= ProgressPrinter.refresh } ?? true
      guard step > state.percent || (isDue && state.percent < 100) else { return }
      state.percent = step
      state.printed = now
      let transfer = progress.flatMap { state.meter.text($0, at: now) } ?? ""
      let line = "Server snapshotting... \(step)% complete\(transfer)"
      // What is left of a longer line is cleared (ECMA-48's erase to the end of the line).
      write(
        isTerminal ? "\r\(line)\u{1B}[K" : "\(line)\n",
        step == 100 ? .result : .progress(isReplaced: isTerminal))
    }
  }
}
