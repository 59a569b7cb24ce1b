internal import Dispatch
internal import Foundation
internal import Synchronization
internal import SystemPackage

/// Writes texts to one destination, on a thread of its own: whoever has something to say never waits
/// for a terminal that was stopped, a reader that sleeps or a file system that hangs.
///
/// What waits to be written is bounded. If it does not fit, progress goes first; then messages are
/// counted instead of kept, and the count is said when the destination takes something again.
final class OutputQueue: Sendable {
  /// What a text is worth.
  enum Kind: Sendable, Equatable {
    /// Outdated by the next one. On a terminal, that also takes its place while it waits.
    case progress(isReplaced: Bool)
    /// A line of the log.
    case message
    /// What the user asked for, or must know.
    case result
  }

  /// How many bytes may wait.
  struct Limits: Sendable {
    var messages = 256 << 10
    var results = 4 << 20
  }

  private enum Item {
    case text([UInt8], Kind, FileDescriptor)
    /// So many messages are missing here.
    case lost(Int, FileDescriptor)
  }

  private struct State {
    var items: [Item] = []
    var bytes = 0
    /// Whether something waits to be written or is being written.
    var isBusy = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())
  // A queue for this alone: one that blocks keeps no other from getting a thread.
  private let thread = DispatchQueue(label: "image-create.output", qos: .userInitiated)
  private let limits: Limits
  private let lossNotice: @Sendable (Int) -> String

  /// Creates a queue.
  ///
  /// - Parameter lossNotice: the line, without its end, that says that so many messages are missing.
  init(limits: Limits = Limits(), lossNotice: @escaping @Sendable (Int) -> String) {
    self.limits = limits
    self.lossNotice = lossNotice
  }

  /// Whether everything was written.
  var isIdle: Bool { state.withLock { !$0.isBusy } }

  /// How many bytes wait, not counting those that are being written.
  var waitingBytes: Int { state.withLock { $0.bytes } }

  /// Puts a text in line. Never blocks.
  func write(_ text: String, _ kind: Kind, to file: FileDescriptor) {
    let bytes = Array(text.utf8)
    let starts = state.withLock { state in
      guard add(bytes, kind, file, to: &state), !state.isBusy else { return false }
      state.isBusy = true
      return true
    }
    if starts { thread.async { [self] in drain() } }
  }

  /// Returns when everything that was put in line was written, or can't be.
  func drained() async {
    await withCheckedContinuation { continuation in
      let isIdle = state.withLock { state in
        if state.isBusy { state.waiters.append(continuation) }
        return !state.isBusy
      }
      if isIdle { continuation.resume() }
    }
  }

  /// - Returns: whether there is something new to write.
  private func add(_ bytes: [UInt8], _ kind: Kind, _ file: FileDescriptor, to state: inout State)
    -> Bool
  {
    if kind == .progress(isReplaced: true), case .text(let old, kind, file)? = state.items.last {
      state.bytes += bytes.count - old.count
      state.items[state.items.count - 1] = .text(bytes, kind, file)
      return true
    }
    let limit = kind == .result ? limits.results : limits.messages
    if state.bytes + bytes.count > limit {
      state.items.removeAll { item in
        guard case .text(let old, .progress, _) = item else { return false }
        state.bytes -= old.count
        return true
      }
    }
    guard state.bytes + bytes.count > limit else {
      state.items.append(.text(bytes, kind, file))
      state.bytes += bytes.count
      return true
    }
    if case .progress = kind { return false }
    if case .lost(let count, file)? = state.items.last {
      state.items[state.items.count - 1] = .lost(count + 1, file)
    } else {
      state.items.append(.lost(1, file))
    }
    return true
  }

  private func drain() {
    while let (bytes, file) = next() { OutputQueue.write(bytes, to: file) }
  }

  private func next() -> ([UInt8], FileDescriptor)? {
    let (item, waiters) = state.withLock { state in
      guard !state.items.isEmpty else {
        defer { state.waiters = [] }
        state.isBusy = false
        return (Item?.none, state.waiters)
      }
      let item = state.items.removeFirst()
      if case .text(let bytes, _, _) = item { state.bytes -= bytes.count }
      return (item, [])
    }
    for waiter in waiters { waiter.resume() }
    switch item {
    case .text(let bytes, _, let file): return (bytes, file)
    case .lost(let count, let file): return (Array((lossNotice(count) + "\n").utf8), file)
    case nil: return nil
    }
  }

  /// A reader that went away is no reason to fail.
  private static func write(_ bytes: [UInt8], to file: FileDescriptor) {
    // A pipe takes so many bytes (PIPE_BUF) all or not at all, even if another program has made it
    // nonblocking.
    var start = 0
    while start < bytes.count {
      let end = min(start + 4096, bytes.count)
      do {
        try file.writeAll(bytes[start..<end])
        start = end
      } catch Errno.resourceTemporarilyUnavailable {
        // No poll(2) without unsafe code; nobody waits for this thread.
        Thread.sleep(forTimeInterval: 0.02)
      } catch {
        return
      }
    }
  }
}
