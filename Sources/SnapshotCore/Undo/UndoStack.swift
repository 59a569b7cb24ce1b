internal import Synchronization

/// Takes back what a run acquired: last in, first out, each with its own guard and time limit.
public final class UndoStack: Sendable {
  /// Does one action.
  public typealias Performer = @Sendable (UndoAction) async throws -> Void

  /// Names one pushed action, or the stack's height.
  public struct Mark: Sendable, Equatable {
    fileprivate let number: Int
  }

  /// An action that failed, and why.
  public struct Leftover: Sendable {
    /// What is still to be done.
    public let action: UndoAction
    /// Why it could not be done.
    public let error: any Error
  }

  private struct Entry {
    let number: Int
    /// The number of the entry whose height it has: its own, unless it was put below another one.
    let height: Int
    let action: UndoAction
  }

  private struct State {
    var entries: [Entry] = []
    var next = 0
  }

  private let state = Mutex(State())
  private let perform: Performer

  /// Makes an empty stack.
  public init(perform: @escaping Performer) { self.perform = perform }

  /// What would be undone now, last first.
  public var pending: [UndoAction] { state.withLock { $0.entries.reversed().map(\.action) } }

  /// Notes an action; to be called *before* the thing is acquired.
  @discardableResult
  func push(_ action: UndoAction) -> Mark {
    state.withLock { state in
      state.next += 1
      state.entries.append(Entry(number: state.next, height: state.next, action: action))
      return Mark(number: state.next)
    }
  }

  /// Notes an action that is to be done after those pushed since another one, as that is.
  func push(_ action: UndoAction, below mark: Mark) -> Mark {
    state.withLock { state in
      state.next += 1
      let index = state.entries.firstIndex { $0.height >= mark.number } ?? state.entries.endIndex
      state.entries.insert(
        Entry(number: state.next, height: mark.number, action: action), at: index)
      return Mark(number: state.next)
    }
  }

  /// Takes an action off without doing it: the thing is gone or is to stay.
  func forget(_ mark: Mark) {
    state.withLock { $0.entries.removeAll { $0.number == mark.number } }
  }

  /// Does one action now; on failure it stays, to be tried once more by `unwind`.
  func undo(_ mark: Mark) async throws {
    let action = state.withLock { $0.entries.first { $0.number == mark.number }?.action }
    guard let action else { return }
    try await run(action)
    forget(mark)
  }

  /// Does the action pushed last of those that fit, if there is one, now.
  func undo(_ fits: (UndoAction) -> Bool) async throws {
    let number = state.withLock { $0.entries.last { fits($0.action) }?.number }
    if let number { try await undo(Mark(number: number)) }
  }

  /// Does everything that was pushed after `mark` (everything at all for nil), last first.
  ///
  /// One that fails never stops the next, and stays on the stack. A cancelled caller does not cut
  /// it short.
  ///
  /// - Returns: what failed.
  @discardableResult
  public func unwind(to mark: Mark? = nil) async -> [Leftover] {
    let entries = state.withLock { $0.entries.filter { $0.height > mark?.number ?? 0 } }
    var leftovers: [Leftover] = []
    for entry in entries.reversed() {
      do {
        try await run(entry.action)
        forget(Mark(number: entry.number))
      } catch {
        leftovers.append(Leftover(action: entry.action, error: error))
      }
    }
    return leftovers
  }

  /// Where the stack stands now.
  func mark() -> Mark { state.withLock { Mark(number: $0.next) } }

  /// Runs an action in a task of its own: the caller's cancellation does not reach it.
  private func run(_ action: UndoAction) async throws {
    let perform = perform
    try await Task.detached {
      try await Deadline.run(action.limit, action.purpose) { try await perform(action) }
    }.value
  }
}
