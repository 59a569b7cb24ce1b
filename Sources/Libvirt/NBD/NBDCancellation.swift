internal import Synchronization

/// Ends the waits of an ``NBDClient`` from another thread.
///
/// A flag rather than a call on the connection: libnbd holds the connection's lock while it waits,
/// so a call from outside would wait as well.
public final class NBDCancellation: Sendable {
  private let flag = Atomic(false)

  /// Makes one that is not cancelled.
  public init() {}

  /// Makes the client's running wait, and every later one, throw `ECANCELED` within 0.1 s.
  public func cancel() { flag.store(true, ordering: .releasing) }

  /// Whether ``cancel()`` was called.
  public var isCancelled: Bool { flag.load(ordering: .acquiring) }
}
