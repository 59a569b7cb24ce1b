import Foundation
import Testing

extension IntegrationTests {
  /// Every way of the bytes, judged by the image.
  @Suite(.serialized)
  struct Delivery {
    /// One way.
    struct Way: Sendable, CustomTestStringConvertible {
      let mechanism: String
      let arguments: [String]
      let format: String

      var testDescription: String {
        "\(mechanism), \(arguments.joined(separator: " ")), \(format)"
      }

      static let all = ["backup", "copy", "rebase", "managedSave", "offline"].flatMap { mechanism in
        ["raw", "qcow2"].map { Way(mechanism: mechanism, arguments: ["--stream"], format: $0) }
          + ["raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx"].map {
            Way(mechanism: mechanism, arguments: ["--spool"], format: $0)
          } + [Way(mechanism: mechanism, arguments: ["--compress"], format: "qcow2")]
      }
    }

    @Test(
      "Every mechanism, delivery and format gives an image equal to the disk", arguments: Way.all)
    func equal(_ way: Way) async throws {
      try Lab.require()
      let server = try await Guests.prepare(
        .overlay, way.mechanism == "offline" ? .shutOff : .paused)
      try await Scratch.folder { folder in
        try await leavingAsItWas(server) {
          let file = folder + "/image"
          let arguments =
            way.arguments + [
              "--mechanism", way.mechanism, "--disk-format", way.format, "--output", file, server,
              "x",
            ]
          let outcome = try await Lab.run(Lab.program, arguments)
          outcome.expect(0)
          try await expectEqual(
            image: file, way.format == "vhd" ? "vpc" : way.format,
            disk: Guests.disk(server, .overlay), "qcow2")
          if way.format == "qcow2" {
            try await Lab.must("qemu-img", "check", "-q", "-f", "qcow2", file)
          }
        }
      }
    }

    @Test(
      "A block device is read live, cold and offline",
      arguments: [
        ("backup", "--stream", "raw"), ("backup", "--stream", "qcow2"),
        ("backup", "--spool", "qcow2"), ("managedSave", "--spool", "raw"),
        ("managedSave", "--stream", "qcow2"), ("offline", "--stream", "qcow2"),
        ("offline", "--compress", "qcow2"),
      ])
    func block(_ mechanism: String, _ delivery: String, _ format: String) async throws {
      let server = try await Guests.prepare(.block, mechanism == "offline" ? .shutOff : .paused)
      try await Scratch.folder { folder in
        try await leavingAsItWas(server) {
          let file = folder + "/image"
          try await Lab.run(
            Lab.program,
            [
              "--mechanism", mechanism, delivery, "--disk-format", format, "--output", file, server,
              "x",
            ]
          ).expect(0)
          try await expectEqual(
            image: file, format, disk: Guests.disk(server, .block), "raw")
          // The device is full from end to end, of which the storage says nothing; while the guest
          // is down for the upload, it is not read once more to find its zeros.
          let size = try await Lab.must("stat", "--format=%s", file)
          let device = try await Lab.must("stat", "--format=%s", Guests.disk(server, .block))
          if format == "qcow2", (mechanism, delivery) != ("managedSave", "--stream") {
            #expect((Int(size) ?? 0) < (Int(device) ?? 0))
          }
        }
      }
    }

    @Test func `A compressed image is smaller and Glance takes it`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      var sizes: [Int] = []
      for arguments in [["--compress"], []] {
        let outcome = try await Lab.run(
          Lab.program, ["--show"] + arguments + [server, "x"], environment: Lab.openrc)
        outcome.expect(0)
        let id = try #require(property("id", in: outcome.output))
        #expect(try await Cloud.image(id)["status"] == "active")
        try await expectEqual(
          image: Cloud.file(id), "qcow2", disk: Guests.disk(server, .overlay), "qcow2")
        sizes.append(Int(try #require(property("size", in: outcome.output))) ?? 0)
        try await Cloud.delete(id)
      }
      #expect(sizes[0] < sizes[1])
    }

    @Test func `Nothing of an offline image lies on the host while it is streamed`() async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(["--show", server, "x"], stoppedAt: "50%") { _ in
          // Three folders, and qemu-nbd's socket, process number and complaints.
          for folder in Lab.names(in: Lab.spoolFolder) {
            let used = try await Lab.must(
              "du", "-s", "--block-size=1", "--apparent-size", "\(Lab.spoolFolder)/\(folder)")
            #expect((Int(used.split(separator: "\t")[0]) ?? .max) < 20_000)
          }
        }
        outcome.expect(0)
        try await Cloud.delete(try #require(property("id", in: outcome.output)))
      }
    }

    @Test func `Raw zeros become holes of a local file`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        let file = folder + "/image"
        try await Lab.run(Lab.program, ["--disk-format", "raw", "--output", file, server, "x"])
          .expect(0)
        let numbers = try await Lab.must("stat", "--format=%s %b %B", file).split(separator: " ")
          .compactMap { Int($0) }
        #expect(numbers[1] * numbers[2] < numbers[0] / 2)
      }
    }

    @Test func `With reflinks the guest is down only until its disk is cloned`() async throws {
      // The guest's base is read-only and may lie elsewhere.
      let model = try await Guests.prepare(.overlay, .paused)
      try await Scratch.reflinks(mebibytes: 600) { folder in
        let server = "t-reflink"
        let disk = folder + "/disk.qcow2"
        try await Lab.must("cp", "--sparse=always", Guests.disk(model, .overlay), disk)
        try await Lab.must("chmod", "0666", disk)
        let xml = try await Lab.virsh("dumpxml", model, "--inactive", "--security-info")
          .replacing(Guests.disk(model, .overlay), with: disk)
          .replacing("<name>\(model)</name>", with: "<name>\(server)</name>")
          .replacing(/<uuid>[^<]*<\/uuid>/, with: "")
          .replacing("\(model).serial", with: "\(server).serial")
        try Data(xml.utf8).write(to: URL(filePath: folder + "/domain.xml"))
        _ = try await Lab.virsh("define", folder + "/domain.xml")
        _ = try await Lab.virsh("start", server, "--paused")
        let plan = try await Lab.imageCreate(
          "--dry-run", "--cold", "--spool-dir", folder + "/spool", server, "x")
        #expect(plan.output.contains("until the disk is cloned"))
        #expect(plan.output.contains("| delivery  | stream:"))
        let outcome = try await Lab.imageCreate(
          "-v", "--show", "--cold", "--spool-dir", folder + "/spool", server, "x")
        outcome.expect(0, error: "cloned \(disk)")
        #expect(try await Lab.virsh("domstate", server) == "paused")
        let id = try #require(property("id", in: outcome.output))
        try await expectEqual(image: Cloud.file(id), "qcow2", disk: disk, "qcow2")
        try await Cloud.delete(id)
        #expect(Lab.names(in: folder + "/spool") == [])
        _ = try await Lab.virsh("destroy", server)
        _ = try await Lab.virsh("undefine", server)
      }
    }
  }
}
