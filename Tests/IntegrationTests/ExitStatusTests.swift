import Foundation
import Testing

extension IntegrationTests {
  /// What a script learns from the exit status, and that a rehearsal learns the same.
  @Suite(.serialized)
  struct ExitStatuses {
    /// Every file of the program's own folders, with size and times.
    private func files(_ others: String...) async throws -> String {
      let folders = ["/var/lib/image-create", "/run/lock/image-create"] + others
      let found = try await Lab.run(
        "find", folders + ["-printf", "%p %i %m %U:%G %s %T@ %C@\\n"])
      return found.output.split(separator: "\n").sorted().joined(separator: "\n")
    }

    @Test func `A good rehearsal says what was checked and touches no file`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        let before = try await files(folder)
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate(
            "--dry-run", "--spool-dir", folder + "/new", server, "x")
          outcome.expect(0)
          for word in ["sign-in", "quota", "lock", "otherwise", "copy, rebase"] {
            #expect(outcome.output.contains(" \(word)"), "\(word)")
          }
          #expect(outcome.errors.isEmpty)
        }
        #expect(try await files(folder) == before)
      }
    }

    @Test func `A server that another run has gives 5, and a rehearsal says who has it`()
      async throws
    {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        let file = folder + "/image"
        let first = try await Lab.imageCreate(["--output", file, server, "first"], stoppedAt: "0%")
        { process in
          let run = try await Lab.imageCreate(server, "second")
          run.expect(5, error: "ERROR (ServerLocked): server '\(server)' is being snapshotted by")
          #expect(run.errors.contains("process \(process) ") && run.errors.contains("'first'"))
          let before = try await files()
          let rehearsal = try await Lab.imageCreate("--dry-run", "--wait", server, "second")
          rehearsal.expect(5)
          #expect(rehearsal.errors == run.errors)
          #expect(try await files() == before)
        }
        first.expect(0)
      }
    }

    @Test func `A server with a job under way gives 5`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      let copy = Lab.guestFolder + "/busy.qcow2"
      _ = try await Lab.virsh(
        "blockcopy", server, "vda", copy, "--format", "qcow2", "--transient-job")
      for line in [[], ["--dry-run"]] {
        let outcome = try await Lab.run(
          Lab.program, line + [server, "x"], environment: Lab.openrc)
        outcome.expect(5, error: "ERROR (ServerBusy): disk 'vda'")
      }
      _ = try await Lab.virsh("blockjob", server, "vda", "--abort")
      try? FileManager.default.removeItem(atPath: copy)
    }

    @Test func `A store without room is told by the rehearsal as by the run`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.fileSystem(mebibytes: 1) { folder in
        let file = folder + "/image"
        let run = try await Lab.imageCreate("--output", file, server, "x", environment: [:])
        run.expect(1, error: "ERROR (NoSpace): \(folder) needed ")
        let rehearsal = try await Lab.imageCreate(
          "--dry-run", "--output", file, server, "x", environment: [:])
        rehearsal.expect(1)
        #expect(rehearsal.errors == run.errors)
        #expect(Lab.names(in: folder) == [])
      }
    }

    @Test func `A complete image beside something left gives 3, its id and its properties`()
      async throws
    {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let before = Set(try await Cloud.imageIDs())
        let outcome = try await Lab.imageCreate(["--show", server, "x"], stoppedAt: "60%") { _ in
          // A mount in it keeps the run's folder from being removed.
          let run = try #require(Lab.names(in: Lab.spoolFolder).first)
          let mount = "\(Lab.spoolFolder)/\(run)/busy"
          try await Lab.must("mkdir", mount)
          try await Lab.must("mount", "-t", "tmpfs", "tmpfs", mount)
        }
        let id = try #require(property("id", in: outcome.output))
        outcome.expect(3, error: "ERROR (CleanupIncomplete): image \(id) is complete in Glance")
        #expect(outcome.errors.contains("ERROR (NotUndone): could not remove the folder"))
        #expect(outcome.output.contains("Finished"))
        #expect(try await Cloud.image(id)["status"] == "active")
        let run = try #require(Lab.names(in: Lab.spoolFolder).first)
        try await Lab.must("umount", "\(Lab.spoolFolder)/\(run)/busy")
        try await Lab.imageCreate("--recover", server).expect(0)
        #expect(Set(try await Cloud.imageIDs()) == before.union([id]))
        try await Cloud.delete(id)
      }
    }
  }
}
