import Foundation
import Subprocess
import Testing

extension IntegrationTests {
  /// A daemon that has other files than the program under the same paths: two hosts, or a container.
  @Suite(.serialized)
  struct Hosts {
    /// Runs `image-create` in a mount namespace of its own in which another file or folder lies over
    /// one of the daemon's.
    private func imageCreate(_ arguments: [String], with other: String, over path: String)
      async throws -> Lab.Outcome
    {
      try Lab.require()
      return try await Lab.run(
        "unshare",
        [
          "--mount", "sh", "-c", #"mount --bind "$1" "$2" && shift 2 && exec "$@""#, "sh", other,
          path, Lab.program,
        ] + arguments, environment: Lab.openrc)
    }

    /// What is asked for, and the state in which that is possible.
    static let ways: [(arguments: [String], state: Guests.State)] = [
      ([], .paused), (["--mechanism", "copy"], .paused), (["--cold"], .paused), ([], .shutOff),
    ]

    @Test(
      "a daemon that sees another spool folder is refused, and nothing is touched",
      arguments: ways)
    func otherSpoolFolder(_ arguments: [String], _ state: Guests.State) async throws {
      let server = try await Guests.prepare(.raw, state)
      // The folder must be there to be mounted over.
      try FileManager.default.createDirectory(
        atPath: Lab.spoolFolder, withIntermediateDirectories: true)
      try await Scratch.folder { folder in
        try await leavingAsItWas(server) {
          let outcome = try await imageCreate(
            arguments + [server, "x"], with: folder, over: Lab.spoolFolder)
          outcome.expect(1, error: "ERROR (NotThisHost): libvirt at qemu:///system runs on host '")
          #expect(outcome.errors.contains("the files of this host, '"))
          #expect(outcome.errors.split(separator: "\n").count == 1)
        }
        #expect(Lab.names(in: folder) == [])
      }
    }

    @Test(
      "a disk that is another file for the daemon or for QEMU is not read, and nothing is touched",
      arguments: ways)
    func otherDisk(_ arguments: [String], _ state: Guests.State) async throws {
      let server = try await Guests.prepare(.raw, state)
      let disk = Guests.disk(server, .raw)
      try await Scratch.folder { folder in
        let (other, image) = (folder + "/other", folder + "/image")
        try await Lab.must("truncate", "-s", "64M", other)
        try await leavingAsItWas(server) {
          let outcome = try await imageCreate(
            arguments + ["--output", image, server, "x"], with: other, over: disk)
          if arguments.isEmpty, state == .paused {
            // QEMU itself gives the disk away: the file is not opened.
            outcome.expect(0)
            try await expectEqual(image: image, "raw", disk: disk, "raw")
          } else {
            outcome.expect(1, error: "ERROR (DiskNotReadable)")
            #expect(outcome.errors.contains("\(disk) of this host, '"))
            #expect(Lab.names(in: folder) == ["other"])
          }
        }
      }
    }

    @Test func `a daemon behind a forwarded socket is not taken for this host's`() async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      try await Scratch.folder { folder in
        let socket = folder + "/libvirt"
        try await leavingAsItWas(server) {
          _ = try await Subprocess.run(
            .name("python3"),
            arguments: [
              Lab.root + "/scripts/lab.d/socket_forwarder.py", socket, "/run/libvirt/libvirt-sock",
            ], input: .none, output: .sequence, error: .discarded
          ) { execution in
            var lines = execution.standardOutput.strings().makeAsyncIterator()
            _ = try await lines.next()
            let outcome = try await Lab.imageCreate(
              "-c", "qemu+unix:///system?socket=\(socket)", server, "x")
            try execution.send(signal: .kill)
            outcome.expect(1, error: "ERROR (DiskNotReadable): libvirt on host '")
          }
        }
      }
    }

    @Test func `the same files in another mount namespace are enough for a running server`()
      async throws
    {
      let server = try await Guests.prepare(.raw, .paused)
      try await Scratch.folder { folder in
        let image = folder + "/image"
        try await leavingAsItWas(server) {
          try await imageCreate(
            ["--mechanism", "copy", "--output", image, server, "x"], with: folder, over: folder
          ).expect(0)
        }
        try await expectEqual(image: image, "raw", disk: Guests.disk(server, .raw), "raw")
      }
    }
  }
}
