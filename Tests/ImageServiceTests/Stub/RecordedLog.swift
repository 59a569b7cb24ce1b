import Logging
import Synchronization

/// A logger whose lines a test can look at.
final class RecordedLog: Sendable {
  private let recorded = Mutex<[String]>([])

  var logger: Logger {
    Logger(label: "test") { _ in
      RecordingLog { line in self.recorded.withLock { $0.append(line) } }
    }
  }

  /// What was said at a level.
  func lines(_ level: String) -> [String] {
    recorded.withLock { $0.filter { $0.hasPrefix(level + " ") } }
  }
}
