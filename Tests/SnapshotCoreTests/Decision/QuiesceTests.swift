import Libvirt
import Testing

@testable import SnapshotCore

/// `--quiesce auto|require|never` against the agent and the server's state.
@Suite struct QuiesceDecisionTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let wish: Request.QuiesceWish
    let situation: Situation
    var agent = DomainDescription.Agent.connected
    var mode = Request.Mode.automatic
    /// What is planned; nil where it is refused.
    let quiesce: Plan.Quiesce?
    let because: String
    var testDescription: String { "\(wish), \(situation.testDescription), agent \(agent)" }
  }

  private static let noChannel = "the server has no guest agent channel"
  private static let notConnected = "no guest agent is connected"
  private static let pausedGuest = "a paused guest cannot answer"
  private static let cold = "a guest that is saved cannot freeze its file systems"
  private static let crashed = "a guest that is crashed cannot freeze its file systems"
  private static let saved = "a guest that is shut off cannot freeze its file systems"
  private static let atRest = "the guest was shut down, its disk is at rest"

  static let table: [Row] = [
    .init(
      wish: .auto, situation: .running, quiesce: .attempt, because: "a guest agent is connected"),
    .init(
      wish: .auto, situation: .blocked, quiesce: .attempt, because: "a guest agent is connected"),
    .init(
      wish: .auto, situation: .running, agent: .disconnected, quiesce: Plan.Quiesce.none,
      because: notConnected),
    .init(
      wish: .auto, situation: .running, agent: .absent, quiesce: Plan.Quiesce.none,
      because: noChannel),
    .init(
      wish: .auto, situation: .paused, quiesce: Plan.Quiesce.none, because: pausedGuest),
    .init(
      wish: .auto, situation: .running, mode: .cold, quiesce: Plan.Quiesce.none, because: cold),
    .init(wish: .auto, situation: .crashed, quiesce: Plan.Quiesce.none, because: crashed),
    .init(wish: .auto, situation: .saved, quiesce: Plan.Quiesce.none, because: saved),
    .init(
      wish: .auto, situation: .shutOff, agent: .absent, quiesce: Plan.Quiesce.none,
      because: atRest),

    .init(wish: .require, situation: .running, quiesce: .require, because: "--quiesce require"),
    .init(wish: .require, situation: .blocked, quiesce: .require, because: "--quiesce require"),
    .init(
      wish: .require, situation: .running, agent: .disconnected, quiesce: nil,
      because: notConnected),
    .init(
      wish: .require, situation: .running, agent: .absent, quiesce: nil, because: noChannel),
    .init(wish: .require, situation: .paused, quiesce: nil, because: pausedGuest),
    .init(wish: .require, situation: .running, mode: .cold, quiesce: nil, because: cold),
    .init(wish: .require, situation: .crashed, quiesce: nil, because: crashed),
    .init(wish: .require, situation: .saved, quiesce: nil, because: saved),
    .init(
      wish: .require, situation: .shutOff, agent: .disconnected, quiesce: Plan.Quiesce.none,
      because: atRest),

    .init(
      wish: .never, situation: .running, quiesce: Plan.Quiesce.none, because: "--quiesce never"),
    .init(
      wish: .never, situation: .paused, quiesce: Plan.Quiesce.none, because: "--quiesce never"),
    .init(
      wish: .never, situation: .running, mode: .cold, quiesce: Plan.Quiesce.none,
      because: "--quiesce never"),
    .init(
      wish: .never, situation: .shutOff, quiesce: Plan.Quiesce.none, because: "--quiesce never"),
  ]

  @Test(arguments: table)
  func `file systems are frozen as asked, or not, and why`(_ row: Row) throws {
    var facts = row.situation.facts
    facts.domain.agent = row.agent
    let request = Request(mode: row.mode, quiesce: row.wish)
    guard let quiesce = row.quiesce else {
      let error = try #require(throws: SnapshotError.self) { try Decision.plan(facts, request) }
      #expect(error.code == .notQuiesced)
      #expect(error.reason == "server 'fed18' cannot be quiesced: \(row.because)")
      return
    }
    let plan = try Decision.plan(facts, request)
    #expect(plan.quiesce == quiesce)
    #expect(plan.reason("quiesce")?.choice == (quiesce == .none ? "no" : "freeze"))
    #expect(plan.reason("quiesce")?.because == row.because)
  }
}
