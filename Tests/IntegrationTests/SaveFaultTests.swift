import Foundation
import Testing

extension IntegrationTests {
  /// What comes between a managed save and its run.
  @Suite(.serialized)
  struct SaveFaults {
    /// Runs a body while a stranger dumps the guest's memory into a pipe, which takes as long as the
    /// body does.
    private func dumping(_ server: String, _ body: @Sendable () async throws -> Void) async throws {
      try await Scratch.folder { folder in
        let pipe = folder + "/dump"
        try await Lab.must("mkfifo", "-m", "666", pipe)
        let script = """
          exec 3<>"$2"; virsh -q -c qemu:///system dump --memory-only "$1" "$2" >"$2.log" 2>&1 &
          echo $! >"$2.pid"; wait $!; echo $? >"$2.status"
          """
        async let dump = Lab.run("bash", ["-c", script, "dump", server, pipe])
        try await Lab.wait("the stranger's dump") {
          try await Lab.virsh("domjobinfo", server).contains("Dump")
        }
        try await body()
        // What is in the pipe is read now.
        try await Lab.must(
          "bash", "-c",
          "timeout 60 cat \(pipe) >/dev/null & wait $(cat \(pipe).pid) 2>/dev/null; "
            + "while [ ! -s \(pipe).status ]; do sleep 0.1; done; kill %1 2>/dev/null || :")
        _ = try await dump
        let status = try String(contentsOfFile: pipe + ".status", encoding: .utf8)
        let log = try String(contentsOfFile: pipe + ".log", encoding: .utf8)
        #expect(status == "0\n", "the stranger's dump: \(log)")
      }
    }

    @Test func `A job that began after the plan is waited for by nobody and not disturbed`()
      async throws
    {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      let outcome = try await Lab.imageCreate(
        ["--cold", server, "fault"], stoppedAt: "push start-"
      ) { process in
        try await dumping(server) {
          try await Lab.must("kill", "-CONT", "\(process)")
          try await Lab.wait("the run's end") { !Lab.runs(process) }
        }
      }
      outcome.expect(5, error: "ERROR (ServerBusy)")
      try await Guests.expectAlive(server)
    }

    @Test func `Ctrl-C behind a stranger's job leaves that job alone`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      let outcome = try await Lab.imageCreate(["--cold", server, "fault"], stoppedAt: "save-") {
        process in
        try await dumping(server) {
          try await Lab.must("kill", "-INT", "\(process)")
          try await Lab.must("kill", "-CONT", "\(process)")
          // As long as it took before to abort whatever job there is.
          try await Task.sleep(for: .seconds(1))
          #expect(try await Lab.virsh("domjobinfo", server).contains("Dump"))
        }
      }
      outcome.expect(130)
      #expect(try await Lab.virsh("domstate", server) == "running")
      try await Guests.expectAlive(server)
    }

    @Test func `A device that the guest gives up late is attached again by --recover`()
      async throws
    {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      try await Scratch.folder { folder in
        let device = folder + "/device.xml"
        try """
        <shmem name='lab' role='peer'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>
        """.write(toFile: device, atomically: true, encoding: .utf8)
        _ = try await Lab.virsh("attach-device", server, device, "--live")
        let before = try await Lab.virsh("dumpxml", server)
        // A guest that stands still gives nothing up.
        _ = try await Lab.virsh("suspend", server)
        let outcome = try await Lab.imageCreate(
          ["--cold", server, "fault"], stoppedAt: "forget attach+"
        ) { try await Lab.must("kill", "-INT", "\($0)") }
        outcome.expect(130, error: "the guest has not released shared memory lab yet")
        _ = try await Lab.virsh("resume", server)
        try await Lab.wait("the device's end") {
          try await !Lab.virsh("dumpxml", server).contains("<shmem")
        }
        try await Lab.imageCreate("--recover", server).expect(0)
        #expect(try await Lab.virsh("dumpxml", server) == before)
        _ = try await Lab.virsh("detach-device", server, device, "--live")
      }
      try await Guests.expectAlive(server)
    }
  }
}
