package import Dispatch
internal import Synchronization

/// Runs calls that block on threads of their own.
///
/// libvirt and libnbd block for as long as the daemon or the guest takes. On the cooperative pool
/// two such calls would stop every other task of a two-core host; libvirt's handles may be used
/// from several threads at once, so nothing has to be serialized here.
package enum BlockingCall {
  /// Where calls run that need not wait for each other.
  package static let queue = DispatchQueue(
    label: "image-create.blocking-calls", qos: .userInitiated, attributes: .concurrent)

  /// Runs `body` on such a thread and returns what it returned.
  ///
  /// - Parameter queue: another queue, whose calls are made one after the other.
  package static func run<Value: Sendable, Failure: Error>(
    on queue: DispatchQueue = queue, _ body: @escaping @Sendable () throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: Result(catching: body)) }
    }
    return try result.get()
  }

  /// The same, but waits no longer than `limit`: a call that still hangs then is left behind, with
  /// its thread.
  ///
  /// - Parameter passed: what is thrown then.
  package static func run<Value: Sendable, Failure: Error>(
    within limit: Duration, orThrow passed: @escaping @Sendable () -> Failure,
    _ body: @escaping @Sendable () throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
      let first = FirstResult(continuation)
      let timer = LimitTimer(limit) { first.resume(.failure(passed())) }
      queue.async {
        let result = Result(catching: body)
        timer.cancel()
        first.resume(result)
      }
    }
    return try result.get()
  }
}

/// Hands on the first of several results.
package final class FirstResult<Value: Sendable, Failure: Error>: Sendable {
  private let continuation: Mutex<CheckedContinuation<Result<Value, Failure>, Never>?>

  /// Takes what waits for the result.
  package init(_ continuation: CheckedContinuation<Result<Value, Failure>, Never>) {
    self.continuation = Mutex(continuation)
  }

  /// Hands on a result, if it is the first.
  package func resume(_ result: Result<Value, Failure>) {
    let first = continuation.withLock { waiting in
      defer { waiting = nil }
      return waiting
    }
    first?.resume(returning: result)
  }
}
