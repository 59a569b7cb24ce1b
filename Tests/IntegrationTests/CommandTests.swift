import Foundation
import Testing

extension IntegrationTests {
  /// What the terminal and the exit status say.
  @Suite(.serialized)
  struct Command {
    @Test func `Without flags a success is silent`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let before = Set(try await Cloud.imageIDs())
        let outcome = try await Lab.imageCreate(server, "silent")
        outcome.expect(0)
        #expect(outcome.output.isEmpty && outcome.errors.isEmpty)
        for id in try await Cloud.imageIDs() where !before.contains(id) {
          try await Cloud.delete(id)
        }
      }
    }

    @Test func `Poll prints nova's lines, one per ten per cent`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        let outcome = try await Lab.imageCreate(
          "--poll", "--output", folder + "/image", server, "x", environment: [:])
        outcome.expect(0)
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines.last == "Finished")
        #expect(lines.contains("Server snapshotting... 100% complete"))
        let numbers = lines.dropLast().compactMap { line in
          line.split(separator: " ").compactMap { Int($0.dropLast()) }.first
        }
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
        #expect(numbers.allSatisfy { $0 % 10 == 0 })
      }
    }

    @Test func `Metadata and what Nova records are on the image`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          "--show", "--metadata", "release=18=b", "--metadata", "os_distro=fedora", "--metadata",
          "image_type=backup", "--min-ram", "512", server, "meta")
        outcome.expect(0)
        let id = try #require(property("id", in: outcome.output))
        let image = try await Cloud.image(id)
        let expected = [
          "name": "meta", "release": "18=b", "os_distro": "fedora", "image_type": "backup",
          "image_state": "available", "image_location": "snapshot", "architecture": "x86_64",
          "hw_disk_bus": "virtio", "hw_firmware_type": "bios", "hw_qemu_guest_agent": "yes",
          "min_disk": "1", "min_ram": "512", "visibility": "private",
        ]
        for (key, value) in expected { #expect(image[key] == value, "\(key)") }
        // What is known only at the point in time.
        #expect(image["image_create:mechanism"] == "backup")
        #expect(image["image_create:quiesced"] == "no: a paused guest cannot answer")
        #expect(image["image_create:version"]?.isEmpty == false)
        let instant = try Date(
          try #require(image["image_create:point_in_time"]), strategy: .iso8601)
        #expect(abs(instant.timeIntervalSinceNow) < 120)
        #expect(image["owner_id"] == image["owner"])
        #expect(image["user_id"]?.isEmpty == false)
        try await Cloud.delete(id)
      }
    }

    @Test func `Without an image service the image goes to the folder, and one line says so`()
      async throws
    {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        // Root's default folder is not the test's to fill: name one, then the notice is not due.
        let named = try await Lab.imageCreate(
          "--image-dir", folder + "/images", server, "x", environment: [:])
        named.expect(0)
        #expect(named.errors.isEmpty)
        let id = try #require(Lab.names(in: folder + "/images").first)
        #expect(Lab.names(in: "\(folder)/images/\(id)") == ["image.json", "image.qcow2"])
        try await expectEqual(
          image: "\(folder)/images/\(id)/image.qcow2", "qcow2",
          disk: Guests.disk(server, .overlay), "qcow2")
      }
      let standard = "/var/lib/image-create/images"
      let before = Set(Lab.names(in: standard))
      let outcome = try await Lab.imageCreate(server, "x", environment: [:])
      outcome.expect(0, error: "no image service is configured")
      #expect(outcome.errors.split(separator: "\n").count == 1)
      for id in Lab.names(in: standard) where !before.contains(id) {
        #expect(outcome.errors.contains("\(standard)/\(id)"))
        try FileManager.default.removeItem(atPath: "\(standard)/\(id)")
      }
    }

    @Test func `A dry run prints facts, plan and reasons, and touches nothing`() async throws {
      let server = try await Guests.prepare(.overlay, .running)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate("--dry-run", "--cold", server, "x")
        outcome.expect(0)
        for word in [
          "managedSave", "--cold was given", "qcow2", Guests.disk(server, .overlay), "running",
          "Nothing was touched",
        ] { #expect(outcome.output.contains(word), "\(word)") }
      }
    }

    @Test func `Quiesce freezes and thaws, and the image needs no journal replay`() async throws {
      let server = try await Guests.prepare(.overlay, .running)
      // `prepare` froze it: here that is the tool's work.
      _ = try await Lab.virsh("domfsthaw", server)
      try await Scratch.folder { folder in
        let outcome = try await Lab.imageCreate(
          "--verbose", "--show", "--quiesce", "require", "--disk-format", "raw", "--output",
          folder + "/image", server, "x", environment: [:])
        outcome.expect(0, error: "(virDomainFSThaw), ")
        #expect(property("image_create:quiesced", in: outcome.output) == "yes")
        #expect(!(try await needsRecovery(folder + "/image")))
        let torn = try await Lab.imageCreate(
          "--quiesce", "never", "--disk-format", "raw", "--output", folder + "/torn", server, "x",
          environment: [:])
        torn.expect(0)
        #expect(try await needsRecovery(folder + "/torn"))
      }
      try await Guests.expectAlive(server)
    }

    @Test func `A guest that someone else froze is left frozen, and quiesce is not claimed`()
      async throws
    {
      let server = try await Guests.prepare(.overlay, .running)
      try await Scratch.folder { folder in
        let outcome = try await Lab.imageCreate(
          "--output", folder + "/image", server, "x", environment: [:])
        outcome.expect(0, error: "not quiesced: the guest agent did not answer")
        let required = try await Lab.imageCreate(
          "--quiesce", "require", "--output", folder + "/second", server, "x", environment: [:])
        required.expect(1, error: "ERROR (NotQuiesced)")
      }
      // Freezing twice is an error of the agent's: it still is frozen.
      #expect(try await Lab.run("virsh", ["-q", "domfsfreeze", server]).status != 0)
      try await Guests.expectAlive(server)
    }

    /// Whether the ext4 file system of the guest's second partition was in use.
    private func needsRecovery(_ raw: String) async throws -> Bool {
      let table = try await Lab.must("sfdisk", "-J", raw)
      let object = try JSONSerialization.jsonObject(with: Data(table.utf8)) as? [String: Any]
      let partitions = (object?["partitiontable"] as? [String: Any])?["partitions"]
      let start = try #require((partitions as? [[String: Any]])?.last?["start"] as? Int)
      let header = try await Lab.must("dumpe2fs", "-h", "\(raw)?offset=\(start * 512)")
      return header.contains("needs_recovery")
    }

    @Test(arguments: ["2>&1 | head -1", "2>&1 >/dev/null | true"])
    func `A reader of the output that goes away stops nothing`(_ pipe: String) async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        try await leavingAsItWas(server) {
          let file = folder + "/image"
          let command = "\(Lab.program) -v --poll --output \(file) \(server) x \(pipe)"
          try await Lab.run("bash", ["-c", "set -o pipefail; \(command)"]).expect(0)
          try await expectEqual(
            image: file, "qcow2", disk: Guests.disk(server, .overlay), "qcow2")
        }
      }
    }
  }
}
