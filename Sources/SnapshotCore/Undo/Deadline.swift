internal import Synchronization

/// Bounds what can't be cancelled: a call of a C library that hangs is left behind, not waited for.
enum Deadline {
  /// Thrown when the time is over.
  struct Passed: Error, CustomStringConvertible {
    let limit: Duration
    let purpose: String
    var description: String { "no answer within \(limit.components.seconds) s: \(purpose)" }
  }

  /// Runs `body` and waits for it no longer than `limit`.
  static func run(
    _ limit: Duration, _ purpose: String, _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    let finish = Once()
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      let work = Task.detached {
        do {
          try await body()
          finish.once { continuation.resume() }
        } catch {
          finish.once { continuation.resume(throwing: error) }
        }
      }
      Task.detached {
        try? await Task.sleep(for: limit)
        finish.once {
          work.cancel()
          continuation.resume(throwing: Passed(limit: limit, purpose: purpose))
        }
      }
    }
  }

  /// Lets the first of several callers through.
  private final class Once: Sendable {
    private let done = Mutex(false)

    func once(_ body: () -> Void) {
      let isFirst = done.withLock { done in
        defer { done = true }
        return !done
      }
      if isFirst { body() }
    }
  }
}
