import Dispatch
import Foundation

/// The queue of a URLSession's delegate, which holds the network back when the delegate is slower.
///
/// URLSession on Linux reads as fast as a service sends and queues every piece for its delegate: an
/// answer without end would fill the memory, however much of it the delegate takes. Here URLSession
/// waits once so many pieces are queued, so its delegate must not wait for it in turn.
///
/// `@unchecked Sendable`: the superclass is, and the language wants it restated; the semaphore is
/// constant.
final class BoundedDelegateQueue: OperationQueue, @unchecked Sendable {
  private let room = DispatchSemaphore(value: 32)

  override init() {
    super.init()
    maxConcurrentOperationCount = 1
  }

  override func addOperation(_ block: @Sendable @escaping () -> Void) {
    room.wait()
    super.addOperation { [room] in
      block()
      room.signal()
    }
  }
}
