import Dispatch
import Synchronization
import Testing

@testable import SnapshotCore

@Suite struct UndoStackTests {
  /// Notes what it is asked to do, and fails where it is told to.
  private final class Recorder: Sendable {
    private let state = Mutex<(done: [UndoAction], failing: [UndoAction])>(([], []))

    var done: [UndoAction] { state.withLock { $0.done } }

    init(failing: [UndoAction] = []) { state.withLock { $0.failing = failing } }

    func heal() { state.withLock { $0.failing = [] } }

    func perform(_ action: UndoAction) async throws {
      let isFailing = state.withLock { state in
        state.done.append(action)
        return state.failing.contains(action)
      }
      if isFailing { throw Broken() }
    }
  }

  private struct Broken: Error {}

  private static let one = UndoAction.removeFile(path: "/1")
  private static let two = UndoAction.removeFile(path: "/2")
  private static let three = UndoAction.removeFile(path: "/3")

  /// A performer that nobody may call.
  private static let untouched: UndoStack.Performer = { action in
    Issue.record("\(action) was performed")
  }

  @Test func `the last pushed is undone first`() async throws {
    let recorder = Recorder()
    let stack = UndoStack(perform: recorder.perform)
    for action in [Self.one, Self.two, Self.three] { try await stack.push(action) }
    #expect(stack.pending == [Self.three, Self.two, Self.one])
    #expect(await stack.unwind().isEmpty)
    #expect(recorder.done == [Self.three, Self.two, Self.one])
    #expect(stack.pending.isEmpty)
  }

  @Test func `an empty stack does nothing`() async throws {
    let stack = UndoStack(perform: Self.untouched)
    #expect(await stack.unwind().isEmpty)
  }

  @Test func `pushing, marking and forgetting perform nothing`() async throws {
    let stack = UndoStack(perform: Self.untouched)
    let mark = try await stack.push(Self.one)
    _ = stack.mark()
    await stack.forget(mark)
    #expect(stack.pending.isEmpty)
    #expect(await stack.unwind().isEmpty)
  }

  @Test func `one that fails never stops the next, is reported and stays`() async throws {
    let recorder = Recorder(failing: [Self.two])
    let stack = UndoStack(perform: recorder.perform)
    for action in [Self.one, Self.two, Self.three] { try await stack.push(action) }
    let leftovers = await stack.unwind()
    #expect(recorder.done == [Self.three, Self.two, Self.one])
    #expect(leftovers.map(\.action) == [Self.two])
    #expect(leftovers.first?.error is Broken)
    #expect(stack.pending == [Self.two])
  }

  @Test func `what failed is tried again by the next unwinding, and nothing else is`() async throws
  {
    let recorder = Recorder(failing: [Self.two])
    let stack = UndoStack(perform: recorder.perform)
    for action in [Self.one, Self.two] { try await stack.push(action) }
    #expect(await stack.unwind().count == 1)
    recorder.heal()
    #expect(await stack.unwind().isEmpty)
    #expect(recorder.done == [Self.two, Self.one, Self.two])
    #expect(stack.pending.isEmpty)
  }

  @Test func `unwinding to a mark leaves what was pushed before it`() async throws {
    let recorder = Recorder()
    let stack = UndoStack(perform: recorder.perform)
    try await stack.push(Self.one)
    let mark = stack.mark()
    try await stack.push(Self.two)
    try await stack.push(Self.three)
    #expect(await stack.unwind(to: mark).isEmpty)
    #expect(recorder.done == [Self.three, Self.two])
    #expect(stack.pending == [Self.one])
    #expect(await stack.unwind(to: mark).isEmpty)
    #expect(recorder.done.count == 2)
  }

  @Test func `a mark stays good when something before it is forgotten`() async throws {
    let recorder = Recorder()
    let stack = UndoStack(perform: recorder.perform)
    let first = try await stack.push(Self.one)
    try await stack.push(Self.two)
    let mark = stack.mark()
    try await stack.push(Self.three)
    await stack.forget(first)
    await stack.unwind(to: mark)
    #expect(recorder.done == [Self.three])
    #expect(stack.pending == [Self.two])
  }

  @Test func `an action can be put below another one`() async throws {
    let recorder = Recorder()
    let stack = UndoStack(perform: recorder.perform)
    let first = try await stack.push(Self.one)
    let mark = stack.mark()
    try await stack.push(Self.two)
    let below = try await stack.push(Self.three, below: first)
    #expect(stack.pending == [Self.two, Self.one, Self.three])
    await stack.unwind(to: mark)
    #expect(recorder.done == [Self.two])
    await stack.forget(first)
    await stack.forget(below)
    #expect(stack.pending == [])
  }

  @Test func `one action can be undone out of order, once`() async throws {
    let recorder = Recorder()
    let stack = UndoStack(perform: recorder.perform)
    let mark = try await stack.push(Self.one)
    try await stack.push(Self.two)
    try await stack.undo(mark)
    try await stack.undo(mark)
    #expect(recorder.done == [Self.one])
    #expect(stack.pending == [Self.two])
  }

  @Test func `one action that fails when undone stays for the unwinding`() async throws {
    let recorder = Recorder(failing: [Self.one])
    let stack = UndoStack(perform: recorder.perform)
    let mark = try await stack.push(Self.one)
    await #expect(throws: Broken.self) { try await stack.undo(mark) }
    #expect(stack.pending == [Self.one])
    recorder.heal()
    #expect(await stack.unwind().isEmpty)
  }

  @Test func `the same action pushed twice is undone twice`() async throws {
    let recorder = Recorder()
    let stack = UndoStack(perform: recorder.perform)
    try await stack.push(.thaw)
    try await stack.push(.thaw)
    await stack.unwind()
    #expect(recorder.done == [.thaw, .thaw])
  }

  @Test func `a cancelled caller does not cut the unwinding short`() async throws {
    let done = Mutex<[UndoAction]>([])
    let stack = UndoStack { action in
      try Task.checkCancellation()
      try await Task.sleep(for: .milliseconds(10))
      done.withLock { $0.append(action) }
    }
    for action in [Self.one, Self.two, Self.three] { try await stack.push(action) }
    let work = Task {
      while !Task.isCancelled { await Task.yield() }
      return await stack.unwind().count
    }
    work.cancel()
    #expect(await work.value == 0)
    #expect(done.withLock { $0 } == [Self.three, Self.two, Self.one])
  }

  @Test func `a caller that is cancelled in the middle waits for the end`() async throws {
    let recorder = Recorder()
    let stack = UndoStack { action in
      try await Task.sleep(for: .milliseconds(20))
      try await recorder.perform(action)
    }
    for action in [Self.one, Self.two, Self.three] { try await stack.push(action) }
    let work = Task { await stack.unwind().count }
    while recorder.done.isEmpty { await Task.yield() }
    work.cancel()
    #expect(await work.value == 0)
    #expect(recorder.done.count == 3)
  }

  /// Writes no line until it is let.
  private final class HungJournal: Sendable {
    private let gate = DispatchSemaphore(value: 0)
    private let lines = Mutex<[Journal.Record]>([])

    var written: [Journal.Record] { lines.withLock { $0 } }

    func write(_ line: Journal.Record, about action: UndoAction?) {
      gate.wait()
      lines.withLock { $0.append(line) }
    }

    func release(lines: Int) { for _ in 0..<lines { gate.signal() } }
  }

  @Test func `a journal that hangs holds up neither the remedies nor who asks what is pending`()
    async throws
  {
    let (recorder, journal) = (Recorder(), HungJournal())
    let stack = UndoStack(entries: [], record: journal.write, perform: recorder.perform)
    journal.release(lines: 2)
    let first = try await stack.push(Self.one)
    try await stack.push(Self.two)
    // More of them than the pool of the tasks has threads.
    let pushes = (0..<16).map { _ in Task { try await stack.push(Self.three) } }
    #expect(stack.pending == [Self.two, Self.one])
    try await stack.undo(first)
    try await stack.undo { $0 == Self.two }
    #expect(recorder.done == [Self.one, Self.two])
    #expect(stack.pending == [])
    #expect(journal.written.count == 2)
    journal.release(lines: 18)
    for push in pushes { _ = try await push.value }
    await stack.recorded()
    #expect(journal.written.suffix(18).contains(.undone(1)))
    #expect(journal.written.count == 20)
    #expect(stack.pending.count == 16)
  }
}
