import Foundation
import Testing

extension IntegrationTests {
  /// What goes wrong in the middle of a run.
  @Suite(.serialized)
  struct Faults {
    /// Takes a live snapshot of a guest, which waits in the middle of its mirror, or when that is
    /// complete.
    private func duringMirror(
      of server: String, mechanism: String, stoppedAt point: String = "1%",
      act: @escaping @Sendable (Int32) async throws -> Void
    ) async throws -> Lab.Outcome {
      try await Lab.imageCreate(
        ["--mechanism", mechanism, "--quiesce", "never", server, "fault"], stoppedAt: point
      ) { process in
        #expect(try await Lab.virsh("blockjob", server, "vda", "--raw") != "")
        try await act(process)
      }
    }

    @Test(
      "A signal in the middle of the mirror undoes everything",
      arguments: [
        ("copy", "INT", 130), ("copy", "TERM", 143), ("rebase", "INT", 130),
        ("rebase", "HUP", 129),
      ] as [(String, String, Int32)])
    func signalled(_ mechanism: String, _ signal: String, _ status: Int32) async throws {
      let server = try await Guests.prepare(.raw, .running)
      _ = try await Lab.virsh("autostart", server)
      try await leavingAsItWas(server) {
        let outcome = try await duringMirror(of: server, mechanism: mechanism) { process in
          try await Lab.must("kill", "-\(signal)", "\(process)")
        }
        outcome.expect(status, error: "stopped by SIG\(signal)")
      }
      try await Guests.expectAlive(server)
    }

    @Test(
      "A signal before the guest is saved, and while the image is sent, undoes everything",
      arguments: [0, 10, 60])
    func signalledCold(_ percent: Int) async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          ["--cold", server, "fault"], stoppedAt: "\(percent)%"
        ) {
          try await Lab.must("kill", "-INT", "\($0)")
        }
        outcome.expect(130)
      }
      try await Guests.expectAlive(server)
    }

    @Test func `A signal while the guest is saved undoes everything`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(["--cold", server, "fault"], stoppedAt: "0%") {
          try await Lab.must("kill", "-CONT", "\($0)")
          // QEMU stops the guest for the last part.
          try await Lab.wait("the guest's stop") {
            try await Lab.virsh("domstate", server) != "running"
          }
          try await Lab.must("kill", "-INT", "\($0)")
        }
        outcome.expect(130)
      }
      try await Guests.expectAlive(server)
    }

    /// It may come back to a guest that runs on and to saved memory that is whole or half.
    @Test(
      "A libvirtd that dies while it saves the guest leaves no saved memory",
      arguments: ["alone", "with the run"])
    func dyingLibvirtd(_ how: String) async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(["--cold", server, "fault"], stoppedAt: "0%") {
          try await Lab.must("kill", "-CONT", "\($0)")
          try await Lab.wait("the file of saved memory") {
            Lab.names(in: "/var/lib/libvirt/qemu/save").contains("\(server).save")
          }
          if how == "with the run" { try await Lab.must("kill", "-KILL", "\($0)") }
          try await Lab.must("pkill", "-KILL", "-x", "libvirtd")
          try await Lab.lab("libvirt", "start")
        }
        #expect(!outcome.errors.contains("NotUndone") && !outcome.errors.contains("left over"))
        if how == "with the run" {
          outcome.expect(128 + SIGKILL)
          try await Lab.imageCreate("--recover", server).expect(0)
        }
      }
      try await Guests.expectAlive(server)
    }

    @Test("A mirror that someone else ends is a failure", arguments: ["1%", "30%"])
    func endedMirror(_ point: String) async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        let outcome = try await duringMirror(
          of: server, mechanism: "copy", stoppedAt: point
        ) { _ in _ = try await Lab.virsh("blockjob", server, "vda", "--abort") }
        outcome.expect(1, error: "ERROR (MirrorFailed)")
      }
      try await Guests.expectAlive(server)
    }

    @Test func `A guest whose disk someone pivots to the mirror's file keeps that file`()
      async throws
    {
      let server = try await Guests.prepare(.raw, .running)
      let images = try await Cloud.imageIDs()
      let disk = Guests.disk(server, .raw)
      let outcome = try await duringMirror(of: server, mechanism: "copy", stoppedAt: "30%") { _ in
        _ = try await Lab.virsh("blockjob", server, "vda", "--pivot")
      }
      outcome.expect(1, error: "ERROR (MirrorFailed)")
      #expect(try await Cloud.imageIDs() == images)
      let folder = try #require(Lab.names(in: Lab.spoolFolder).first)
      let there = "is there now, since someone pivoted the mirror. Copy it to where it shall be"
      #expect(outcome.errors.contains("could not remove the folder \(Lab.spoolFolder)/\(folder)"))
      #expect(outcome.errors.contains(there) && !outcome.errors.contains("`rm "))
      try await Lab.imageCreate("--recover", server).expect(1, error: there)
      #expect(
        try await Lab.virsh("domblklist", server).contains(
          "\(Lab.spoolFolder)/\(folder)/qemu/delta"))
      try await Guests.expectAlive(server)
      // Back to where it was, as the message says.
      _ = try await Lab.virsh(
        "blockcopy", server, "vda", disk, "--format", "raw", "--reuse-external", "--transient-job",
        "--wait", "--pivot")
      try await Lab.imageCreate("--recover", server).expect(0)
      #expect(Lab.names(in: Lab.spoolFolder) == [])
      try await Guests.expectAlive(server)
    }

    @Test func `A persistent server that is stopped meanwhile stays defined`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      let xml = try await Lab.virsh("dumpxml", server, "--inactive", "--security-info")
      let images = try await Cloud.imageIDs()
      let outcome = try await duringMirror(of: server, mechanism: "rebase") { _ in
        _ = try await Lab.virsh("destroy", server)
      }
      outcome.expect(1)
      #expect(try await Lab.virsh("dumpxml", server, "--inactive", "--security-info") == xml)
      #expect(try await Lab.virsh("domstate", server) == "shut off")
      #expect(try await Cloud.imageIDs() == images)
      #expect(Lab.names(in: Lab.spoolFolder) == [])
      #expect(Lab.names(in: Lab.stateFolder) == [])
    }

    @Test func `A transient server that vanishes leaves no file and no image`() async throws {
      let server = try await Guests.prepare(.raw, .transient)
      let images = try await Cloud.imageIDs()
      let outcome = try await duringMirror(of: server, mechanism: "copy") { _ in
        _ = try await Lab.virsh("destroy", server)
      }
      outcome.expect(1)
      #expect(!outcome.errors.contains("NotUndone"))
      #expect(try await Cloud.imageIDs() == images)
      #expect(Lab.names(in: Lab.spoolFolder) == [])
      try await Guests.remove(server)
    }

    @Test func `An image that someone deletes meanwhile is an error`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await leavingAsItWas(server) {
        let before = Set(try await Cloud.imageIDs())
        let outcome = try await duringMirror(of: server, mechanism: "copy") { _ in
          for id in try await Cloud.imageIDs() where !before.contains(id) {
            try await Cloud.delete(id)
          }
        }
        outcome.expect(1, error: "ERROR (ImageGone)")
      }
    }

    @Test func `A spool folder that fills up ends the run and not the guest`() async throws {
      try await Scratch.fileSystem(mebibytes: 700) { folder in
        // QEMU lives in a mount namespace of its own and sees what was mounted before its start.
        _ = try await Guests.prepare(.raw, .shutOff)
        let server = try await Guests.prepare(.raw, .running)
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate(
            ["--mechanism", "copy", "--quiesce", "never", "--spool-dir", folder, server, "fault"],
            stoppedAt: "5+"
          ) { _ in
            // The room was checked, and the mirror comes next.
            #expect(try await Lab.virsh("blockjob", server, "vda", "--raw") == "")
            try await Scratch.fill(folder, leaving: 8)
          }
          outcome.expect(1, error: "ERROR (")
          #expect(Lab.names(in: folder) == ["full"])
        }
        try await Guests.expectAlive(server)
        // The guest must not keep the file system busy.
        _ = try await Guests.prepare(.raw, .shutOff)
      }
    }
  }
}
