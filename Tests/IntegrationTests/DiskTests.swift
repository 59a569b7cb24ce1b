import Foundation
import Testing

extension IntegrationTests {
  /// A disk is what it was when its point in time was fixed, and only its own files are opened.
  @Suite(.serialized)
  struct Disks {
    /// After the run's folder is in the journal: the plan is made, and nothing is fixed yet.
    private static let planned = "3+"

    @Test(
      "A snapshot that lands between the plan and the point in time ends the run",
      arguments: ["backup", "copy", "managedSave"])
    func changedDisk(_ mechanism: String) async throws {
      let server = try await Guests.prepare(.qcow2, .running)
      let disk = Guests.disk(server, .qcow2)
      let overlay = Lab.guestFolder + "/t-overlay-of-test.qcow2"
      _ = try await Lab.run("virsh", ["-q", "domfsthaw", server])
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          ["--mechanism", mechanism, "--quiesce", "never", server, "changed"],
          stoppedAt: Self.planned
        ) { _ in
          _ = try await Lab.virsh(
            "snapshot-create-as", server, "test", "--disk-only", "--no-metadata", "--atomic",
            "--diskspec", "vda,file=\(overlay)")
        }
        outcome.expect(1, error: "ERROR (DiskChanged): disk 'vda' of server '\(server)' ")
        #expect(outcome.errors.contains("it was \(disk) and is \(overlay) now"))
        #expect(Lab.names(in: Lab.spoolFolder).isEmpty)
        #expect(try await Lab.virsh("domstate", server) == "running")
        _ = try await Lab.virsh(
          "blockcommit", server, "vda", "--active", "--pivot", "--wait")
        try FileManager.default.removeItem(atPath: overlay)
      }
      try await Guests.expectAlive(server)
    }

    @Test func `A server that is edited before it is read offline is not read`() async throws {
      let server = try await Guests.prepare(.qcow2, .shutOff)
      let disk = Guests.disk(server, .qcow2)
      let xml = try await Lab.virsh("dumpxml", server, "--inactive", "--security-info")
      try await Scratch.folder { folder in
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate(
            ["--output", folder + "/image", server, "x"], stoppedAt: Self.planned
          ) { _ in
            let edited = xml.replacing(disk, with: disk + ".other")
            try Data(edited.utf8).write(to: URL(filePath: folder + "/xml"))
            _ = try await Lab.virsh("define", folder + "/xml")
          }
          outcome.expect(1, error: "it was \(disk) and is \(disk).other now")
          try Data(xml.utf8).write(to: URL(filePath: folder + "/xml"))
          _ = try await Lab.virsh("define", folder + "/xml")
        }
        #expect(!Lab.names(in: folder).contains("image"))
      }
    }

    @Test func `A running QEMU offers a disk whose file we cannot open`() async throws {
      let server = try await Guests.prepare(.qcow2, .running)
      let disk = Guests.disk(server, .qcow2)
      try await Scratch.folder { folder in
        let image = folder + "/image"
        try FileManager.default.moveItem(atPath: disk, toPath: disk + ".away")
        let outcome = try await Lab.run(
          Lab.program, ["--quiesce", "never", "--output", image, server, "x"])
        try FileManager.default.moveItem(atPath: disk + ".away", toPath: disk)
        outcome.expect(0)
        try await expectEqual(image: image, "qcow2", disk: disk, "qcow2")
      }
    }

    @Test func `A disk that has grown under a running QEMU is taken as QEMU knows it`() async throws
    {
      let server = try await Guests.prepare(.raw, .running)
      let disk = Guests.disk(server, .raw)
      func size(_ path: String) throws -> Int? {
        (try FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber)?.intValue
      }
      let known = try #require(try size(disk))
      try await Lab.must("truncate", "--size=+1M", disk)
      var failure: (any Error)?
      do {
        try await Scratch.folder { folder in
          for way in [["--mechanism", "backup"], ["--mechanism", "copy"], ["--cold"]] {
            let image = folder + "/image"
            let outcome = try await Lab.run(
              Lab.program, way + ["--quiesce", "never", "--output", image, server, "x"])
            outcome.expect(0)
            // A guest that starts again finds the disk as it is then.
            #expect(try size(image) == known + (way == ["--cold"] ? 1 << 20 : 0), "\(way)")
            try FileManager.default.removeItem(atPath: image)
          }
        }
      } catch {
        failure = error
      }
      // The guests are shared with other tests.
      _ = try await Guests.prepare(.raw, .shutOff)
      try await Lab.must("truncate", "--size=\(known)", disk)
      if let failure { throw failure }
    }

    @Test(arguments: ["backup", "copy"])
    func `a spool folder that QEMU does not see is named as the reason`(_ mechanism: String)
      async throws
    {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.fileSystem(mebibytes: 400) { folder in
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate(
            "--mechanism", mechanism, "--spool-dir", folder, server, "x")
          outcome.expect(1, error: "ERROR (SpoolFolderNotUsable): QEMU of server '\(server)' ")
          #expect(outcome.errors.contains("does not see \(folder)/"))
          #expect(Lab.names(in: folder).isEmpty)
        }
      }
    }

    @Test func `QEMU's user cannot put anything where the program creates files`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      let user = try await Lab.must("stat", "--format=%u:%g", Guests.disk(server, .overlay))
        .split(separator: ":")
      try await Scratch.folder { folder in
        // The backup job is in the journal: all folders are there, and QEMU's is open to it.
        let outcome = try await Lab.imageCreate(
          [
            "--mechanism", "backup", "--spool", "--disk-format", "raw", "--output",
            folder + "/image", server, "x",
          ], stoppedAt: "4+"
        ) { _ in
          let run = try #require(Lab.names(in: Lab.spoolFolder).first)
          func links(_ name: String) async throws -> Bool {
            try await Lab.run(
              "setpriv",
              [
                "--reuid=\(user[0])", "--regid=\(user[1])", "--clear-groups", "ln", "-s",
                folder + "/victim", "\(Lab.spoolFolder)/\(run)/\(name)",
              ]
            ).status == 0
          }
          for name in ["image.raw", "own/image.raw", "own/probe.qcow2"] {
            #expect(try await !links(name), "\(name) was created")
          }
          #expect(try await links("qemu/image.raw"))
        }
        outcome.expect(0)
        #expect(Lab.names(in: folder) == ["image"])
        #expect(Lab.names(in: Lab.spoolFolder).isEmpty)
      }
    }
  }
}
