internal import Dispatch
internal import Synchronization

/// Does something when a limit has passed, unless it is cancelled before.
///
/// It needs neither the cooperative pool nor a thread of the calls that it bounds: those may all hang.
package final class LimitTimer: Sendable {
  private static let queue = DispatchQueue(label: "image-create.limits", qos: .userInitiated)

  private let source: Mutex<(any DispatchSourceTimer)?>

  /// Starts a timer.
  package init(_ limit: Duration, whenPassed act: @escaping @Sendable () -> Void) {
    let source = DispatchSource.makeTimerSource(queue: LimitTimer.queue)
    source.schedule(deadline: .now() + .milliseconds(Int(limit / .milliseconds(1))))
    source.setEventHandler(handler: act)
    source.resume()
    self.source = Mutex(source)
  }

  /// Ends it; nothing of it is left.
  package func cancel() {
    source.withLock { source in
      source?.cancel()
      source = nil
    }
  }
}
