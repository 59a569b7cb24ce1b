internal import Dispatch

/// Runs work that blocks on a disk away from the cooperative pool.
enum BlockingWork {
  private static let queue = DispatchQueue(
    label: "image-create.blocking-work", qos: .userInitiated, attributes: .concurrent)

  static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws
    -> Value
  {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try body() }) }
    }
  }
}
