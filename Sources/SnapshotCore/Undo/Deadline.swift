internal import Libvirt
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
    let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
      let first = FirstResult(continuation)
      let work = Mutex<Task<Void, Never>?>(nil)
      let timer = LimitTimer(limit) {
        first.resume(.failure(Passed(limit: limit, purpose: purpose)))
        work.withLock { $0 }?.cancel()
      }
      work.withLock { task in
        task = Task.detached {
          do {
            try await body()
            first.resume(.success(()))
          } catch {
            first.resume(.failure(error))
          }
          timer.cancel()
        }
      }
    }
    try result.get()
  }
}
