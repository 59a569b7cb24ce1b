import Foundation
import Testing

extension IntegrationTests {
  /// What the journal, the locks and the time limit do for an operator. That every step of every
  /// mechanism is recovered is `scripts/torture`'s to prove.
  @Suite(.serialized)
  struct Recovery {
    private static let journals = "/var/lib/image-create/journal"

    /// Runs a live snapshot that kills itself with the guest frozen and its backup job open.
    private func die(_ server: String, _ name: String) async throws {
      let outcome = try await Lab.imageCreate(
        server, name, environment: Lab.openrc(fault: "kill@6+"))
      outcome.expect(128 + SIGKILL)
      #expect(Lab.names(in: Self.journals).count == 1)
    }

    private func agentSays(_ server: String) async throws -> String {
      try await Lab.virsh("qemu-agent-command", server, #"{"execute":"guest-fsfreeze-status"}"#)
    }

    @Test func `--recover undoes what a killed run left, and says what`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      try await leavingAsItWas(server) {
        try await die(server, "killed")
        #expect(try await agentSays(server).contains("frozen"))

        let look = try await Lab.imageCreate("--recover", "--dry-run", server)
        look.expect(0)
        for word in [
          "'killed'", "would thaw the guest", "would end the backup job", "would delete",
        ] { #expect(look.output.contains(word), "\(look.output)") }
        #expect(try await agentSays(server).contains("frozen"))

        let outcome = try await Lab.imageCreate("--recover")
        outcome.expect(0)
        #expect(outcome.output.contains("did thaw the guest's file systems"))
        #expect(try await agentSays(server).contains("thawed"))
        #expect(Lab.names(in: Self.journals) == [])
        let again = try await Lab.imageCreate("--recover")
        again.expect(0)
        #expect(again.output == "Nothing is left to be undone.\n")
      }
      try await Guests.expectAlive(server)
    }

    @Test func `the next run on the server undoes it first`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      try await leavingAsItWas(server) {
        try await die(server, "killed")
        try await Scratch.folder { folder in
          let outcome = try await Lab.imageCreate("--output", folder + "/i.raw", server, "next")
          // The killed run's image is in Glance, which this run does not talk to but can.
          outcome.expect(0, error: "snapshot 'killed' of server '\(server)'")
        }
        #expect(Lab.names(in: Self.journals) == [])
      }
      try await Guests.expectAlive(server)
    }

    @Test func `an image that can't be reached stays in the journal, with the command`()
      async throws
    {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      try await leavingAsItWas(server) {
        try await die(server, "killed")
        let outcome = try await Lab.imageCreate("--recover", environment: [:])
        outcome.expect(1, error: "the OS_* variables are not set")
        #expect(outcome.errors.contains("Do it by hand: `openstack image delete"))
        #expect(try await agentSays(server).contains("thawed"))
        let other = Lab.openrc.merging(["OS_PROJECT_NAME": "other"]) { $1 }
        try await Lab.imageCreate("--recover", environment: other)
          .expect(1, error: "refused user \"operator\"")
        #expect(Lab.names(in: Self.journals).count == 1)
        try await Lab.imageCreate("--recover").expect(0)
        #expect(Lab.names(in: Self.journals) == [])
      }
    }

    @Test(
      "A second signal leaves at once, says what is left, and the guardian or recovery does it",
      arguments: [true, false])
    func secondSignal(_ isGuarded: Bool) async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          ["--cold", server, "x"], stoppedAt: "10%", guarded: isGuarded
        ) {
          _ = try await Lab.run("kill", ["-CONT", "\($0)"])
          // Two that come too close to each other are one.
          while try await Lab.run("kill", ["-INT", "\($0)"]).status == 0, Lab.runs($0) {
            try await Task.sleep(for: .milliseconds(100))
          }
        }
        outcome.expect(130, error: "left over: virsh -c qemu:///system start '\(server)'")
        if isGuarded {
          #expect(outcome.errors.contains("the guardian of this run does it now"))
          try await Guardian.waitUntilDone()
        } else {
          try await Lab.imageCreate("--recover", server).expect(0)
        }
      }
      try await Guests.expectAlive(server)
    }

    @Test func `a server that somebody else has saved since is not started`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      let killed = try await Lab.imageCreate(["--cold", server, "x"], stoppedAt: "10%") {
        try await Lab.must("kill", "-KILL", "\($0)")
      }
      killed.expect(128 + SIGKILL)
      for verb in ["start", "managedsave"] { _ = try await Lab.virsh(verb, server) }
      let outcome = try await Lab.imageCreate("--recover", server)
      outcome.expect(0, error: "was started and saved again by someone else")
      #expect(try await Lab.virsh("domstate", server) == "shut off")
      #expect(Lab.names(in: Self.journals) == [])
      _ = try await Lab.virsh("start", server)
      try await Guests.expectAlive(server)
    }

    @Test func `a run that takes too long is undone`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        try await Lab.imageCreate("--timeout", "1", "--cold", server, "x")
          .expect(1, error: "ERROR (TimedOut): the run took longer than 1s (--timeout)")
        #expect(Lab.names(in: Self.journals) == [])
      }
      try await Guests.expectAlive(server)
    }

    /// Runs so many snapshots at once into a folder.
    private func together(_ servers: [String], _ folder: String, _ extra: [String] = [])
      async throws -> [(server: String, outcome: Lab.Outcome)]
    {
      try await withThrowingTaskGroup(of: (server: String, outcome: Lab.Outcome).self) { group in
        for (index, server) in servers.enumerated() {
          group.addTask {
            let arguments = ["--image-dir", folder, "--quiesce", "never"] + extra
            return (
              server, try await Lab.run(Lab.program, arguments + [server, "together-\(index)"])
            )
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [2, 20])
    func `of many at once one wins for each server, and the others hear who`(_ count: Int)
      async throws
    {
      let servers = [
        try await Guests.prepare(.raw, .running), try await Guests.prepare(.qcow2, .running),
      ]
      try await leavingAsItWas(servers[0]) {
        try await Scratch.folder { folder in
          let all = (0..<count).map { servers[$0 % (count == 2 ? 1 : 2)] }
          let outcomes = try await together(all, folder)
          for server in Set(all) {
            let its = outcomes.filter { $0.server == server }.map(\.outcome)
            #expect(its.contains { $0.status == 0 })
            for loser in its where loser.status != 0 {
              loser.expect(
                5, error: "ERROR (ServerLocked): server '\(server)' is being snapshotted by process"
              )
            }
          }
          let wins = outcomes.count { $0.outcome.status == 0 }
          #expect(Lab.names(in: folder).count == wins)
          #expect(wins < count)
        }
      }
      #expect(Lab.names(in: Self.journals) == [])
    }

    @Test(.timeLimit(.minutes(5)))
    func `those that wait all get their turn, one at a time`() async throws {
      let servers = [
        try await Guests.prepare(.raw, .running), try await Guests.prepare(.qcow2, .running),
      ]
      try await Scratch.folder { folder in
        let outcomes = try await together(
          servers + servers + servers, folder, ["--wait", "--max-concurrent", "1"])
        for (_, outcome) in outcomes { outcome.expect(0) }
        #expect(Lab.names(in: folder).count == 6)
        #expect(outcomes.contains { $0.outcome.errors.contains("waiting: 1 snapshots") })
      }
      for server in servers { try await Guests.expectAlive(server) }
    }
  }
}
