import Foundation
import Testing

@testable import ImageCreateCommand

@Suite struct SignalStopTests {
  private static let (interrupt, terminate, hangUp) = (
    SignalStop.Signal.all[0], SignalStop.Signal.all[1], SignalStop.Signal.all[2]
  )

  @Test(arguments: SignalStop.Signal.all)
  func `the first signal stops the run`(_ signal: SignalStop.Signal) {
    var state = SignalStop.State()
    #expect(state.take(signal) == .cancel)
    #expect(state.first == signal)
  }

  @Test(arguments: SignalStop.Signal.all)
  func `a second signal ends the process with its number`(_ first: SignalStop.Signal) {
    for second in [Self.interrupt, Self.terminate] {
      var state = SignalStop.State()
      _ = state.take(first)
      #expect(state.take(second) == .exit(128 + second.number, isUndone: false))
      #expect(state.first == first)
    }
  }

  @Test func `a terminal that is closed does not cut the undoing short`() {
    var state = SignalStop.State()
    #expect(state.take(Self.hangUp) == .cancel)
    #expect(state.take(Self.hangUp) == .nothing)
    #expect(state.take(Self.interrupt) == .exit(130, isUndone: false))
  }

  @Test(arguments: SignalStop.Signal.all)
  func `a signal ends the wait for a reader with the run's own status`(_ signal: SignalStop.Signal)
  {
    var state = SignalStop.State()
    state.status = 0
    #expect(state.take(signal) == .exit(0, isUndone: true))
    var stopped = SignalStop.State()
    _ = stopped.take(Self.interrupt)
    stopped.status = 130
    #expect(stopped.take(signal) == .exit(130, isUndone: true))
  }
}
