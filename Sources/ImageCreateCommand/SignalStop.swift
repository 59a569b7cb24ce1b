internal import Dispatch
internal import Foundation
internal import Synchronization

/// The first SIGINT, SIGTERM or SIGHUP stops the run; a second one ends the process at once.
///
/// Signals are handled on a queue of their own: even if every thread of the tasks' pool hangs, the
/// second one ends the process.
final class SignalStop: Sendable {
  /// A signal by name and number.
  struct Signal: Sendable, Equatable {
    let name: String
    let number: Int32

    static let all = [
      Signal(name: "SIGINT", number: SIGINT), Signal(name: "SIGTERM", number: SIGTERM),
      Signal(name: "SIGHUP", number: SIGHUP),
    ]
  }

  /// What a signal means, depending on what came before.
  struct State: Sendable, Equatable {
    enum Reaction: Equatable {
      case cancel
      case nothing
      /// End the process with a status; `isUndone` if nothing can be left to undo.
      case exit(Int32, isUndone: Bool)
    }

    /// The signal that stopped the run.
    private(set) var first: Signal?
    /// The run's status once it is over and only its output is waited for.
    var status: Int32?

    mutating func take(_ signal: Signal) -> Reaction {
      if let status { return .exit(status, isUndone: true) }
      guard first != nil else {
        first = signal
        return .cancel
      }
      // A terminal that is closed sends it twice: once from the kernel, once from the shell.
      if signal.number == SIGHUP { return .nothing }
      return .exit(128 + signal.number, isUndone: false)
    }
  }

  private let state = Mutex(State())
  private let sources = Mutex<[SignalSource]>([])
  private let session: Session
  private let cancel: @Sendable () -> Void

  init(session: Session, cancel: @escaping @Sendable () -> Void) {
    self.session = session
    self.cancel = cancel
  }

  /// The signal that stopped the run, if one did.
  var signal: Signal? { state.withLock { $0.first } }

  /// Begins to handle signals.
  func watch() {
    let queue = DispatchQueue(label: "image-create.signals", qos: .userInitiated)
    for signal in Signal.all {
      let source = SignalSource(signal.number, on: queue) { [self] in handle(signal) }
      sources.withLock { $0.append(source) }
    }
  }

  /// Waits until everything that the run said was written; a signal ends that wait and the process.
  ///
  /// - Returns: the status.
  func leave(with status: Int32) async -> Int32 {
    state.withLock { $0.status = status }
    await Terminal.flush()
    sources.withLock { sources in
      for source in sources { source.cancel() }
      sources = []
    }
    return status
  }

  private func handle(_ signal: Signal) {
    switch state.withLock({ $0.take(signal) }) {
    case .nothing: break
    case .cancel:
      cancel()
      Terminal.error("image-create: \(signal.name): undoing (once more to leave at once)")
    case .exit(let status, let isUndone):
      if !isUndone {
        let left = session.pendingCommands
        for line in left { Terminal.error("left over: \(line)") }
        if !left.isEmpty { Terminal.error(session.leftoverAdvice) }
        Terminal.flushWhatIsRead()
      }
      // Not exit(), which runs what libraries have registered.
      _exit(status)
    }
  }
}

/// Calls back for each of one kind of signal, which then does no longer end the process.
private final class SignalSource: Sendable {
  private let source: Mutex<any DispatchSourceSignal>

  init(_ number: Int32, on queue: DispatchQueue, act: @escaping @Sendable () -> Void) {
    let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
    source.setEventHandler(handler: act)
    source.resume()
    self.source = Mutex(source)
  }

  func cancel() { source.withLock { $0.cancel() } }
}
