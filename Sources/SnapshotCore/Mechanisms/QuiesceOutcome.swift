internal import Synchronization

/// Whether the guest's file systems stood still at the point in time.
public enum QuiesceOutcome: Sendable, Equatable {
  /// So many file systems were frozen, and still were when the moment was over.
  case quiesced(fileSystems: Int)
  /// They were not, and why: completes "not quiesced: …".
  case notQuiesced(because: String)
}

/// How quiescing went, once that is known: written by `Quiesce`, read when the point in time is fixed.
final class QuiesceRecord: Sendable {
  private let state = Mutex<QuiesceOutcome?>(nil)

  /// The outcome; nil if the mechanism has no moment that could be quiesced, or before it.
  var outcome: QuiesceOutcome? { state.withLock { $0 } }

  func set(_ outcome: QuiesceOutcome) { state.withLock { $0 = outcome } }
}
