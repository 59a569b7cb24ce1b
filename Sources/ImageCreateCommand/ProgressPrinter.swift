internal import Synchronization

/// Prints nova's progress lines: one live line on a terminal, one line per 10 % elsewhere.
final class ProgressPrinter: Sendable {
  private let isOn: Bool
  private let isTerminal: Bool
  private let write: @Sendable (String) -> Void
  private let last = Mutex(-1)

  init(
    isOn: Bool, isTerminal: Bool, write: @escaping @Sendable (String) -> Void = Terminal.output
  ) {
    self.isOn = isOn
    self.isTerminal = isTerminal
    self.write = write
  }

  /// nova begins with an empty line.
  func start() {
    guard isOn else { return }
    write("\n")
    report(0)
  }

  /// Takes the fraction done, 0 to 1. 100 % is said by `finish` only, and nothing goes back.
  func report(_ fraction: Double) {
    guard isOn else { return }
    print(min(max(Int(fraction * 100), 0), 99))
  }

  func finish() {
    guard isOn else { return }
    print(100)
    write(isTerminal ? "\nFinished\n" : "Finished\n")
  }

  func fail() {
    guard isOn else { return }
    write(isTerminal ? "\nError snapshotting server\n" : "Error snapshotting server\n")
  }

  private func print(_ percent: Int) {
    // Written under the lock, so that a late callback can't print a smaller number.
    last.withLock { last in
      let step = isTerminal ? percent : percent / 10 * 10
      guard step > last else { return }
      last = step
      let line = "Server snapshotting... \(step)% complete"
      write(isTerminal ? "\r\(line)" : "\(line)\n")
    }
  }
}
