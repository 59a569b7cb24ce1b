internal import Dispatch
internal import Libvirt
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

  /// One action on the stack, as the journal holds it.
  struct Entry: Sendable, Equatable, Codable {
    /// Which push it was, from 1.
    let number: Int
    /// The number of the entry whose height it has: its own, unless it was put below another one.
    let height: Int
    let action: UndoAction
  }

  private struct State {
    var entries: [Entry] = []
    var next = 0
    /// Whether something that is to stay could not be written down.
    var isJournalStale = false
  }

  /// Writes one line of the journal; the action is what the line's number is about.
  typealias Recorder = @Sendable (Journal.Record, UndoAction?) throws(SnapshotError) -> Void

  private let state: Mutex<State>
  private let record: Recorder?
  private let perform: Performer
  /// Where the journal is written to, one line after the other in the stack's order. A disk that
  /// hangs then holds up neither the cooperative pool nor whoever asks what is pending.
  private let writing = DispatchQueue(label: "image-create.journal", qos: .userInitiated)

  /// Makes an empty stack.
  ///
  /// - Parameter journal: where each action is written before the thing is acquired; nil keeps them
  ///   in memory only.
  public convenience init(journal: Journal? = nil, perform: @escaping Performer) {
    self.init(entries: [], journal: journal, perform: perform)
  }

  /// Makes the stack of a run that is dead.
  convenience init(entries: [Entry], journal: Journal?, perform: @escaping Performer) {
    guard let journal else {
      self.init(entries: entries, record: nil, perform: perform)
      return
    }
    let record: Recorder = { (line, action) throws(SnapshotError) in
      try journal.write(line, about: action)
    }
    self.init(entries: entries, record: record, perform: perform)
  }

  init(entries: [Entry], record: Recorder?, perform: @escaping Performer) {
    state = Mutex(State(entries: entries, next: entries.map(\.number).max() ?? 0))
    self.record = record
    self.perform = perform
  }

  /// What would be undone now, last first.
  public var pending: [UndoAction] { state.withLock { $0.entries.reversed().map(\.action) } }

  /// Notes an action; to be called *before* the thing is acquired. When this returns, the journal
  /// has it on disk.
  ///
  /// - Throws: `journalFailed`; the action is then not on the stack.
  @discardableResult
  func push(_ action: UndoAction) async throws(SnapshotError) -> Mark {
    try await push(action, below: nil)
  }

  /// Notes an action that is to be done after those pushed since another one, as that is.
  func push(_ action: UndoAction, below mark: Mark?) async throws(SnapshotError) -> Mark {
    try await BlockingCall.run(on: writing) { [self] () throws(SnapshotError) in
      // Only this queue pushes: the number is still the next one after the journal was written.
      let number = state.withLock { $0.next } + 1
      let entry = Entry(number: number, height: mark?.number ?? number, action: action)
      try record?(.push(entry), nil)
      state.withLock { state in
        state.next = number
        let index =
          mark.flatMap { mark in state.entries.firstIndex { $0.height >= mark.number } }
          ?? state.entries.endIndex
        state.entries.insert(entry, at: index)
      }
      return Mark(number: number)
    }
  }

  /// Takes an action off without doing it: the thing is gone or is to stay.
  func forget(_ mark: Mark) async {
    guard let entry = remove(mark.number) else { return }
    await BlockingCall.run(on: writing) { [self] in
      do {
        try record?(.forgotten(entry.number), entry.action)
      } catch {
        // Recovery would delete an image that is to stay: `settle` mends that before success is told.
        state.withLock { $0.isJournalStale = true }
      }
    }
  }

  /// Puts an action in the place of another one that is known better now.
  func replace(_ mark: Mark, with action: UndoAction) async throws(SnapshotError) -> Mark {
    let better = try await push(action, below: mark)
    await forget(mark)
    return better
  }

  /// Removes the journal if nothing is left. Otherwise it says what is left, and nothing else, when
  /// this returns.
  ///
  /// - Returns: whether recovery can rely on the journal. If it cannot be written, it is gone: better
  ///   no recovery than one that deletes a good image.
  public func settle(_ journal: Journal) async -> Bool {
    await BlockingCall.run(on: writing) { [self] in
      let (entries, isStale) = state.withLock { ($0.entries, $0.isJournalStale) }
      guard !entries.isEmpty else {
        journal.close()
        return true
      }
      guard isStale else { return true }
      do {
        try journal.rewrite(entries)
        return true
      } catch {
        journal.close(isLasting: true)
        return false
      }
    }
  }

  /// Does one action now; on failure it stays, to be tried once more by `unwind`.
  func undo(_ mark: Mark) async throws {
    let entry = state.withLock { $0.entries.first { $0.number == mark.number } }
    if let entry { try await undo(entry) }
  }

  /// Does the action pushed last of those that fit, if there is one, now.
  func undo(_ fits: (UndoAction) -> Bool) async throws {
    let entry = state.withLock { $0.entries.last { fits($0.action) } }
    if let entry { try await undo(entry) }
  }

  /// Does everything that was pushed after `mark` (everything at all for nil), last first.
  ///
  /// One that fails never stops the next, and stays on the stack. A cancelled caller does not cut
  /// it short.
  ///
  /// - Parameter report: told of each action that was done.
  /// - Returns: what failed.
  @discardableResult
  public func unwind(to mark: Mark? = nil, report: (UndoAction) -> Void = { _ in }) async
    -> [Leftover]
  {
    let entries = state.withLock { $0.entries.filter { $0.height > mark?.number ?? 0 } }
    var leftovers: [Leftover] = []
    for entry in entries.reversed() {
      do {
        try await undo(entry)
        report(entry.action)
      } catch {
        leftovers.append(Leftover(action: entry.action, error: error))
      }
    }
    await recorded()
    return leftovers
  }

  /// Returns when the journal has everything that was done so far.
  func recorded() async {
    await BlockingCall.run(on: writing) {}
  }

  /// Where the stack stands now.
  func mark() -> Mark { state.withLock { Mark(number: $0.next) } }

  private func undo(_ entry: Entry) async throws {
    try await run(entry.action)
    guard remove(entry.number) != nil else { return }
    // Not waited for: the next remedy must not wait for a disk. What can't be written down is undone
    // once more by recovery, which does no harm.
    writing.async { [record] in try? record?(.undone(entry.number), entry.action) }
  }

  private func remove(_ number: Int) -> Entry? {
    state.withLock { state in
      state.entries.firstIndex { $0.number == number }.map { state.entries.remove(at: $0) }
    }
  }

  /// Runs an action in a task of its own: the caller's cancellation does not reach it.
  private func run(_ action: UndoAction) async throws {
    let perform = perform
    try await Task.detached {
      try await Deadline.run(action.limit, action.purpose) { try await perform(action) }
    }.value
  }
}
