import Foundation
import Testing

extension IntegrationTests {
  /// A terminal, pipe or log that takes nothing: the guest and the image must not wait for it.
  @Suite(.serialized)
  struct SilentReaders {
    /// Waits until the agent says that the guest's file systems are thawed.
    ///
    /// - Returns: how long that took.
    private func thawed(_ server: String) async throws -> Duration {
      let begin = ContinuousClock.now
      try await Lab.wait("thawed file systems of \(server)") {
        try await status(server).contains("thawed")
      }
      return ContinuousClock.now - begin
    }

    private func status(_ server: String) async throws -> String {
      try await Lab.run(
        "virsh",
        [
          "-q", "qemu-agent-command", server, "--timeout", "5",
          #"{"execute":"guest-fsfreeze-status"}"#,
        ]
      ).output
    }

    private func expectNoJob(_ server: String) async throws -> Duration {
      let begin = ContinuousClock.now
      try await Lab.wait("the end of the job of \(server)") {
        try await Lab.virsh("domjobinfo", server).hasSuffix("None")
      }
      return ContinuousClock.now - begin
    }

    @Test(
      "A frozen guest is thawed and its image sent although nobody reads the output",
      arguments: SilentReader.Kind.allCases)
    func frozen(_ kind: SilentReader.Kind) async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      try await Scratch.folder { folder in
        let image = folder + "/image"
        let outcome = try await SilentReader.run(
          kind, in: folder,
          [
            "-v", "--poll", "--mechanism", "backup", "--quiesce", "require", "--output", image,
            server, "x",
          ], stoppedAt: "frozen-"
        ) { run in
          #expect(try await status(server).contains("frozen"))
          try await run.signal("CONT")
          let time = try await thawed(server)
          // Milliseconds; a busy machine takes longer, a line that is waited for takes for ever.
          #expect(time < .seconds(5))
          _ = try await expectNoJob(server)
          try await Lab.wait("the image") { FileManager.default.fileExists(atPath: image) }
          #expect(Lab.runs(run.process) == (kind != .file))
          try run.read()
        }
        outcome.expect(0)
        #expect(outcome.output.contains("Server snapshotting... 100% complete"))
        #expect(outcome.output.contains("froze 1 file systems"))
        #expect(!outcome.output.contains("missing here"))
      }
    }

    @Test func `Ctrl-C undoes everything although the terminal is stopped, and again it ends`()
      async throws
    {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        for isReadInTheEnd in [true, false] {
          try await Scratch.folder { folder in
            let outcome = try await SilentReader.run(
              .terminal, in: folder,
              [
                "--poll", "--mechanism", "backup", "--quiesce", "never", "--output",
                folder + "/image", server, "x",
              ], stoppedAt: "10%"
            ) { run in
              try await run.signal("INT")
              try await run.signal("CONT")
              let time = try await expectNoJob(server)
              #expect(time < .seconds(5))
              try await Lab.wait("an empty spool folder") {
                Lab.names(in: Lab.spoolFolder).isEmpty
                  && Lab.names(in: "/var/lib/image-create/journal").isEmpty
              }
              // It waits for its reader only.
              #expect(Lab.runs(run.process))
              if isReadInTheEnd { try run.read() } else { try await run.signal("INT") }
            }
            outcome.expect(130)
            #expect(outcome.output.contains("everything was undone") == isReadInTheEnd)
          }
        }
      }
      try await Guests.expectAlive(server)
    }

    @Test func `A scratch folder that fills up ends the job although the terminal is stopped`()
      async throws
    {
      try await Scratch.fileSystem(mebibytes: 700) { spool in
        // QEMU lives in a mount namespace of its own and sees what was mounted before its start.
        _ = try await Guests.prepare(.raw, .shutOff)
        let server = try await Guests.prepare(.raw, .running)
        try await Guests.expectAlive(server)
        try await Scratch.folder { folder in
          let outcome = try await SilentReader.run(
            .terminal, in: folder,
            [
              "--mechanism", "backup", "--spool-dir", spool, "--output", folder + "/image", server,
              "x",
            ], stoppedAt: "10%"
          ) { run in
            try await Scratch.fill(spool, leaving: 32)
            try await run.signal("CONT")
            let time = try await expectNoJob(server)
            #expect(time < .seconds(5))
            try await Lab.wait("an empty spool folder") { Lab.names(in: spool) == ["full"] }
            try run.read()
          }
          #expect(outcome.status == 1)
          #expect(outcome.output.contains("warning: ended the backup job"))
          #expect(outcome.output.contains("ERROR (NoSpace)"))
        }
        try await Guests.expectAlive(server)
        // The guest must not keep the file system busy.
        _ = try await Guests.prepare(.raw, .shutOff)
      }
    }

    /// Space that comes back hides why the guest stopped, as a quota does, which is not seen at all.
    @Test func `A guest that the scratch file stopped is resumed at once`() async throws {
      try await Scratch.fileSystem(mebibytes: 700) { spool in
        _ = try await Guests.prepare(.raw, .shutOff)
        let server = try await Guests.prepare(.raw, .running)
        try await Guests.expectAlive(server)
        let outcome = try await Lab.imageCreate(
          ["--mechanism", "backup", "--spool-dir", spool, server, "x"], stoppedAt: "10%"
        ) { _ in
          // To the last byte.
          _ = try await Lab.run("cp", ["/dev/zero", spool + "/full"])
          try await Lab.wait("the guest's stop") {
            try await Lab.virsh("domstate", server, "--reason").contains("I/O error")
          }
          try await Lab.must("rm", spool + "/full")
        }
        outcome.expect(1, error: "ERROR (NoSpace): a disk error stopped server '\(server)'")
        try await Guests.expectAlive(server)
        _ = try await Guests.prepare(.raw, .shutOff)
      }
    }
  }
}
