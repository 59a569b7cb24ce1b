import Foundation
import Testing

extension IntegrationTests {
  /// Somebody writes to a disk, or wants to, while it is read from the host.
  @Suite(.serialized)
  struct Writers {
    /// Something that a lock does not keep out of a block device, done while the device is read.
    enum Deed: String, CaseIterable, Sendable {
      case write, startAndStop
    }

    @Test(
      "a block device that is written to while it is read gives no image", arguments: Deed.allCases)
    func blockDevice(_ deed: Deed) async throws {
      let server = try await Guests.prepare(.block, .shutOff)
      let device = try await Lab.virsh("domblklist", server)
        .split(whereSeparator: \.isWhitespace).last.map(String.init)
      let path = try #require(device)
      let images = try await Cloud.imageIDs()
      let outcome = try await Lab.imageCreate([server, "x"], stoppedAt: "10%") { _ in
        switch deed {
        case .write:
          // The same bytes: the disk stays what it is for the tests after this one.
          try await Lab.must(
            "sh", "-c", #"dd if="$1" bs=4096 count=1 | dd of="$1" bs=4096 conv=notrunc,fsync"#,
            "sh",
            path)
        case .startAndStop:
          _ = try await Lab.virsh("start", server, "--paused")
          _ = try await Lab.virsh("destroy", server)
        }
      }
      outcome.expect(1, error: "ERROR (DiskNotReadable)")
      #expect(
        outcome.errors.contains(
          deed == .write
            ? "\(path) was written to while it was read" : "was started while its disk was read"))
      #expect(try await Cloud.imageIDs() == images)
      #expect(Lab.names(in: Lab.spoolFolder) == [])
    }

    @Test func `a disk that another active server has is refused, under whatever path`()
      async throws
    {
      let owner = try await Guests.prepare(.raw, .paused)
      try await Scratch.folder { folder in
        let link = folder + "/link.raw"
        try FileManager.default.createSymbolicLink(
          atPath: link, withDestinationPath: Guests.disk(owner, .raw))
        let xml = try await Lab.virsh("dumpxml", owner, "--inactive", "--security-info")
          .replacing(Guests.disk(owner, .raw), with: link)
          .replacing("<name>\(owner)</name>", with: "<name>t-odd</name>")
          .replacing(/<uuid>[^<]*<\/uuid>/, with: "")
        try Data(xml.utf8).write(to: URL(filePath: folder + "/xml"))
        _ = try await Lab.virsh("define", folder + "/xml")
        let outcome = try await Lab.run(
          Lab.program, ["--output", folder + "/image", "t-odd", "x"])
        _ = try await Lab.virsh("undefine", "t-odd")
        outcome.expect(1, error: "is also a disk of server '\(owner)', which is active")
      }
    }

    @Test func `a libvirtd that is restarted while a disk is read and locked does no harm`()
      async throws
    {
      let server = try await Guests.prepare(.raw, .shutOff)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          ["--stream", "--show", server, "x"], stoppedAt: "10%"
        ) { _ in
          try await Lab.must("pkill", "-KILL", "-x", "libvirtd")
          try await Lab.lab("libvirt", "start")
        }
        outcome.expect(0, error: "was kept from starting by locks alone")
        let id = try #require(property("id", in: outcome.output))
        try await expectEqual(
          image: Cloud.file(id), "raw", disk: Guests.disk(server, .raw), "raw")
        try await Cloud.delete(id)
      }
    }

    @Test(
      "programs that read a guest's disk know no password", arguments: ["--stream", "--compress"])
    func environment(_ delivery: String) async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      let program = delivery == "--stream" ? "qemu-nbd" : "qemu-img"
      let outcome = try await Lab.imageCreate([delivery, "--show", server, "x"], stoppedAt: "1%") {
        _ in
        let reader = try await Lab.must("pgrep", "-n", "-x", program)
        let variables = try String(contentsOfFile: "/proc/\(reader)/environ", encoding: .utf8)
          .split(separator: "\0").map { $0.split(separator: "=")[0] }
        #expect(Set(variables).isSubset(of: ["PATH", "LC_ALL", "HOME", "TMPDIR"]))
        #expect(variables.contains("LC_ALL"))
      }
      outcome.expect(0)
      try await Cloud.delete(try #require(property("id", in: outcome.output)))
    }
  }
}
