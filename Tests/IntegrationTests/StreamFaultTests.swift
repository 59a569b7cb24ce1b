import Foundation
import Testing

extension IntegrationTests {
  /// What goes wrong while the image is made and sent at once.
  @Suite(.serialized)
  struct StreamFaults {
    @Test(
      "An upload that breaks off is begun again from the same point in time",
      arguments: [1, 40_000_000],
      ["backup", "offline"])
    func brokenUpload(afterBytes count: Int, _ mechanism: String) async throws {
      let server = try await Guests.prepare(.overlay, mechanism == "backup" ? .paused : .shutOff)
      try await leavingAsItWas(server) {
        let uploads = try await CuttingProxy.run(cutting: 1, after: count) { environment in
          let outcome = try await Lab.imageCreate(
            "--show", "--mechanism", mechanism, server, "fault", environment: environment)
          outcome.expect(
            0, error: "begins again from the first byte in 2 s (1 of 4)")
          let id = try #require(property("id", in: outcome.output))
          // The hash was compared by the program; here once more with the disk itself.
          try await expectEqual(
            image: Cloud.file(id), "qcow2", disk: Guests.disk(server, .overlay), "qcow2")
          try await Cloud.delete(id)
        }
        // One that breaks off at once is asked for its reason first.
        #expect(uploads == (count == 1 ? 3 : 2))
      }
    }

    @Test func `Uploads that never come through are given up after --retries`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let uploads = try await CuttingProxy.run(cutting: 1000, after: 1000) { environment in
          let outcome = try await Lab.imageCreate(
            "--retries", "2", server, "fault", environment: environment)
          outcome.expect(1, error: "ERROR (ConnectionLost)")
          #expect(outcome.errors.contains("(2 of 2)"))
        }
        // Each is asked for its reason as well.
        #expect(uploads == 6)
      }
    }

    @Test(
      "A Glance whose workers are killed in the middle of the upload gets the image all the same",
      arguments: ["--stream", "--spool"])
    func killedGlance(_ delivery: String) async throws {
      let server = try await Guests.prepare(.raw, .paused)
      let master = try #require(Lab.settings["GLANCE_PID"])
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          [delivery, "--show", server, "fault"], stoppedAt: "60%"
        ) { _ in try await Lab.must("pkill", "-KILL", "-P", master) }
        outcome.expect(0, error: "begins again from the first byte")
        let id = try #require(property("id", in: outcome.output))
        try await expectEqual(
          image: Cloud.file(id), "raw", disk: Guests.disk(server, .raw), "raw")
        try await Cloud.delete(id)
      }
    }

    @Test func `A Glance that is gone for good leaves no image and no job`() async throws {
      let server = try await Guests.prepare(.raw, .paused)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          ["--retries", "1", "--upload-patience", "2s", server, "fault"], stoppedAt: "10%"
        ) { _ in
          try await Lab.lab("glance", "stop")
          // The record can be deleted once it is back; the undo keeps trying for a while.
          Task {
            try await Task.sleep(for: .seconds(8))
            try await Lab.lab("glance", "start")
          }
        }
        outcome.expect(1, error: "ERROR (Unreachable)")
        #expect(!outcome.errors.contains("NotUndone"))
        #expect(outcome.output.contains("Error snapshotting server"))
        #expect(try await Lab.virsh("domjobinfo", server).hasSuffix("None"))
      }
    }

    @Test(
      "A signal in the middle of the stream undoes everything",
      arguments: ["backup", "copy", "offline"], ["INT", "TERM"])
    func signalled(_ mechanism: String, _ signal: String) async throws {
      let server = try await Guests.prepare(.raw, mechanism == "offline" ? .shutOff : .running)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          ["--mechanism", mechanism, "--quiesce", "never", server, "fault"],
          stoppedAt: mechanism == "copy" ? "40%" : "10%"
        ) { try await Lab.must("kill", "-\(signal)", "\($0)") }
        outcome.expect(signal == "INT" ? 130 : 143)
        try await StreamFaults.expectNoServer()
      }
      if mechanism != "offline" { try await Guests.expectAlive(server) }
    }

    @Test func `After kill -9 no qemu-nbd is left`() async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate([server, "fault"], stoppedAt: "10%") {
          try await Lab.must("kill", "-KILL", "\($0)")
        }
        outcome.expect(137)
        try await StreamFaults.expectNoServer()
        try await Lab.imageCreate("--recover", server).expect(0)
      }
    }

    @Test func `An NBD server that dies is an error, and its image is deleted`() async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate([server, "fault"], stoppedAt: "10%") { _ in
          try await Lab.must("pkill", "-KILL", "-x", "qemu-nbd")
        }
        outcome.expect(1, error: "ERROR (DiskNotReadable)")
      }
    }

    @Test func `A guest is not started while its raw disk is streamed`() async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          ["--stream", "--show", server, "x"], stoppedAt: "1%"
        ) { _ in
          let start = try await StreamFaults.start(server)
          #expect(start.errors.contains("Failed to get \"write\" lock"), "\(start.errors)")
        }
        outcome.expect(0)
        let id = try #require(property("id", in: outcome.output))
        try await expectEqual(
          image: Cloud.file(id), "raw", disk: Guests.disk(server, .raw), "raw")
        try await Cloud.delete(id)
      }
    }

    @Test func `A guest is not started while its raw disk is spooled`() async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      try await leavingAsItWas(server) {
        // Compressed, which takes long enough for the test to come in time.
        let outcome = try await Lab.imageCreate(
          ["--compress", "--show", server, "x"], stoppedAt: "1%"
        ) { _ in
          let reader = try #require(Int32(try await Lab.must("pgrep", "-n", "-x", "qemu-img")))
          let start = try await Lab.holding(reader) { try await StreamFaults.start(server) }
          #expect(start.errors.contains("Failed to get \"write\" lock"), "\(start.errors)")
        }
        outcome.expect(0)
        let id = try #require(property("id", in: outcome.output))
        try await expectEqual(
          image: Cloud.file(id), "qcow2", disk: Guests.disk(server, .raw), "raw")
        try await Cloud.delete(id)
      }
    }

    private static func start(_ server: String) async throws -> Lab.Outcome {
      try await Lab.run("virsh", ["-q", "-c", "qemu:///system", "start", server])
    }

    @Test(
      "A guest that is stopped while its backup is read gives no image",
      arguments: ["--stream", "--compress"])
    func stoppedGuest(_ delivery: String) async throws {
      let server = try await Guests.prepare(.raw, .running)
      let images = try await Cloud.imageIDs()
      let outcome = try await Lab.imageCreate(
        [delivery, "--mechanism", "backup", "--quiesce", "never", server, "fault"],
        stoppedAt: "10%"
      ) { _ in _ = try await Lab.virsh("destroy", server) }
      outcome.expect(1, error: "ERROR (ServerStopped): server '\(server)' stopped while")
      #expect(try await Lab.virsh("domstate", server) == "shut off")
      #expect(try await Cloud.imageIDs() == images)
      #expect(Lab.names(in: Lab.spoolFolder) == [])
    }

    @Test func `A backup job that someone else ends is an error that says so`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          ["--mechanism", "backup", "--quiesce", "never", server, "fault"],
          stoppedAt: "10%"
        ) { _ in _ = try await Lab.virsh("domjobabort", server) }
        outcome.expect(1, error: "someone ended the backup job")
      }
      try await Guests.expectAlive(server)
    }

    @Test func `A scratch folder that fills up ends the run before the guest has to stop`()
      async throws
    {
      try await Scratch.fileSystem(mebibytes: 700) { folder in
        // QEMU lives in a mount namespace of its own and sees what was mounted before its start.
        _ = try await Guests.prepare(.raw, .shutOff)
        let server = try await Guests.prepare(.raw, .running)
        try await Guests.expectAlive(server)
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate(
            ["--mechanism", "backup", "--spool-dir", folder, server, "fault"], stoppedAt: "10%"
          ) { _ in
            // Less than what the run keeps free.
            try await Scratch.fill(folder, leaving: 32)
          }
          outcome.expect(1, error: "ERROR (NoSpace)")
          #expect(Lab.names(in: folder) == ["full"])
        }
        try await Guests.expectAlive(server)
        // The guest must not keep the file system busy.
        _ = try await Guests.prepare(.raw, .shutOff)
      }
    }

    /// A `qemu-nbd` that serves nobody any more ends within a moment.
    private static func expectNoServer() async throws {
      try await Lab.wait("the end of qemu-nbd") {
        // What has ended and was not waited for by anyone does not count.
        try await Lab.run("pgrep", ["-r", "D,R,S", "-x", "qemu-nbd"]).status == 1
      }
    }
  }
}
