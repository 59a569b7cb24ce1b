import Foundation
import Synchronization

/// Runs work that blocks on a disk on a thread of its own, outside the pool that tasks share.
enum DiskThread {
  /// Set when the waiting task is cancelled; the work looks at it between two blocks.
  final class Cancellation: Sendable {
    private let flag = Atomic(false)
    var isCancelled: Bool { flag.load(ordering: .relaxed) }
    func cancel() { flag.store(true, ordering: .relaxed) }
  }

  /// Waits for `work`, also after a cancellation: nobody uses the disk behind the caller's back.
  static func run<Value: Sendable>(
    _ work: @escaping @Sendable (Cancellation) throws(ImageServiceError) -> Value
  ) async throws(ImageServiceError) -> Value {
    let cancellation = Cancellation()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation {
        (continuation: CheckedContinuation<Result<Value, ImageServiceError>, Never>) in
        let thread = Thread {
          do throws(ImageServiceError) {
            continuation.resume(returning: .success(try work(cancellation)))
          } catch {
            continuation.resume(returning: .failure(error))
          }
        }
        thread.name = "image disk"
        thread.start()
      }
    } onCancel: {
      cancellation.cancel()
    }
    return try result.get()
  }
}
