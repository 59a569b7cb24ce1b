internal import Foundation
internal import Synchronization
internal import SystemPackage

/// The way to stdout, stderr and the log file. Nothing here blocks but ``flush()``.
enum Terminal {
  static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  private static let errors = OutputQueue(lossNotice: lossNotice)
  /// The same queue if both are one file, so that what is said later is read later.
  private static let output =
    isSameFile(.standardOutput, .standardError) ? errors : OutputQueue(lossNotice: lossNotice)
  /// Further queues to flush.
  private static let others = Mutex<[OutputQueue]>([])

  /// Writes to stdout as it is.
  static func output(_ text: String) { output(text, .result) }

  /// Writes to stdout as it is.
  static func output(_ text: String, _ kind: OutputQueue.Kind) {
    output.write(text, kind, to: .standardOutput)
  }

  /// Writes a line to stderr.
  static func error(_ line: String, _ kind: OutputQueue.Kind = .result) {
    errors.write(line + "\n", kind, to: .standardError)
  }

  /// Has another queue flushed as well.
  static func add(_ queue: OutputQueue) { others.withLock { $0.append(queue) } }

  /// Returns when everything was written, however long its readers take.
  static func flush() async {
    let added = others.withLock { others in
      defer { others = [] }
      return others
    }
    for queue in [errors, output] + added { await queue.drained() }
  }

  /// Waits a moment for what a reader that is there takes at once; blocks the thread.
  static func flushWhatIsRead() {
    let queues = [errors, output] + others.withLock { $0 }
    for _ in 0..<20 {
      if queues.allSatisfy(\.isIdle) { return }
      Thread.sleep(forTimeInterval: 0.01)
    }
  }

  private static func lossNotice(_ count: Int) -> String {
    "image-create: \(count) \(count == 1 ? "message is" : "messages are") missing here: "
      + "nothing was read for too long"
  }

  private static func isSameFile(_ one: FileDescriptor, _ other: FileDescriptor) -> Bool {
    guard let one = try? one.stat(), let other = try? other.stat() else { return false }
    return one.deviceID == other.deviceID && one.inode == other.inode
  }
}
