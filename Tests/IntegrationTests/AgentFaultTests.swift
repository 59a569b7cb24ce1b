import Foundation
import Testing

extension IntegrationTests {
  /// What a guest's agent does to a run that wants to freeze: the guest is thawed in the end, and
  /// the run says whether its image is quiesced.
  @Suite(.serialized)
  struct AgentFaults {
    /// A fault of `scripts/lab guest agent`.
    struct Fault: Sendable, CustomTestStringConvertible {
      let kind: String
      /// Seconds; milliseconds for `kill`.
      let number: Int

      var testDescription: String { "\(kind) \(number)" }
    }

    // Its end must not fall into the backup: libvirt 9.0 would lose the agent until it is restarted.
    private static let silent = [Fault(kind: "stop", number: 15), Fault(kind: "mute", number: 40)]

    /// Takes a snapshot of a running guest whose agent is at fault.
    private func snapshot(
      _ fault: Fault, _ arguments: String..., mechanism: String = "backup"
    ) async throws -> Lab.Outcome {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      var outcome: Lab.Outcome?
      try await Scratch.folder { folder in
        try await Lab.lab("guest", "agent", server, fault.kind, "\(fault.number)")
        outcome = try await Lab.run(
          Lab.program,
          arguments + ["-v", "--mechanism", mechanism, "--output", folder + "/image", server, "x"])
      }
      try await expectThawed(server)
      #expect(try await Lab.virsh("domjobinfo", server).hasSuffix("None"))
      #expect(Lab.names(in: Lab.spoolFolder) == [])
      return try #require(outcome)
    }

    /// Waits for the agent and asks it; does not thaw.
    private func expectThawed(_ server: String) async throws {
      try await Lab.wait("thawed file systems of \(server)") {
        try await Lab.run(
          "virsh",
          [
            "-q", "qemu-agent-command", server, "--timeout", "2",
            #"{"execute":"guest-fsfreeze-status"}"#,
          ]
        ).output.contains("thawed")
      }
      let before = try await Guests.record(server)
      try await Lab.wait("a new record of \(server)") {
        try await Guests.record(server) > before
      }
    }

    @Test("An agent that does not answer gives an image that is not quiesced", arguments: silent)
    func silentAgent(_ fault: Fault) async throws {
      try await snapshot(fault).expect(
        0, error: "not quiesced: the guest agent did not answer")
    }

    @Test func `--quiesce require is refused where the agent does not answer`() async throws {
      try await snapshot(Self.silent[0], "--quiesce", "require").expect(
        1, error: "could not be quiesced")
    }

    @Test func `A freeze that takes a while is waited for`() async throws {
      let outcome = try await snapshot(Fault(kind: "slow-freeze", number: 5))
      outcome.expect(0, error: "froze 1 file systems")
      #expect(!outcome.errors.contains("not quiesced"))
      // Bounded for whoever comes next, but not by what this run wanted.
      let status = try String(contentsOfFile: "/run/libvirt/qemu/t-raw.xml", encoding: .utf8)
      #expect(status.contains("<agentTimeout>600</agentTimeout>"))
    }

    @Test func `A freeze that takes too long is thawed when it comes at last`() async throws {
      let outcome = try await snapshot(Fault(kind: "slow-freeze", number: 30))
      outcome.expect(0, error: "not quiesced: the freeze failed")
    }

    @Test(
      "An agent that dies while the file systems are frozen thaws them when it is back",
      arguments: [("backup", 0), ("backup", 20), ("copy", 0), ("copy", 60)])
    func dyingAgent(_ mechanism: String, _ milliseconds: Int) async throws {
      let outcome = try await snapshot(
        Fault(kind: "kill", number: milliseconds), mechanism: mechanism)
      // It ended before it froze, while it was frozen, or after it thawed.
      if outcome.status == 0 {
        #expect(
          outcome.errors.contains("not quiesced: the")
            != outcome.errors.contains("froze 1 file systems"), "\(outcome.errors)")
      } else {
        outcome.expect(1, error: "ERROR (NotQuiesced)")
        #expect(outcome.errors.contains("it is thawed now"))
      }
    }
  }
}
