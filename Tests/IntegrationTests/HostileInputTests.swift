import FlyingFox
import FlyingSocks
import Foundation
import Synchronization
import Testing

extension IntegrationTests {
  /// Input made to do harm, given to the whole program: one line, and the guest is not touched.
  @Suite(.serialized)
  struct HostileInput {
    static let names: [(String, String)] = [
      ("a\nb", #"ERROR (InvalidName): The image name "a\nb" contained a control character."#),
      (
        "a\u{1B}[2Jb",
        #"ERROR (InvalidName): The image name "a\u{1b}[2Jb" contained a control character."#
      ),
      (" ", "ERROR (InvalidName): The image name was blank."),
      (
        String(repeating: "ü", count: 256),
        "ERROR (InvalidName): The image name had 256 characters; 1 to 255 are allowed."
      ),
      ("💾", "ERROR (InvalidName): The image name \"💾\" contained a character beyond U+FFFF."),
    ]

    @Test("A name that can't be is refused", arguments: names)
    func refusedName(_ name: String, error: String) async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(server, name)
        outcome.expect(1, error: error)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.split(separator: "\n").count == 1)
        #expect(!outcome.errors.contains("\u{1B}"))
      }
    }

    @Test(
      "An odd name is the image's name all the same",
      arguments: ["-rf", "--help", "a  b", "'$(x)`"])
    func oddName(_ name: String) async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(
          "--show", "--metadata", "odd==a=", "--metadata", "empty=", "--", server, name)
        outcome.expect(0)
        let row = outcome.output.split(separator: "\n").first { $0.hasPrefix("| id ") }
        let id = try #require(row).split(separator: "|")[1].trimmingCharacters(in: .whitespaces)
        let image = try await Cloud.image(id)
        #expect(image["name"] == name)
        #expect(image["odd"] == "=a=")
        #expect(image["empty"] == "")
        try await Cloud.delete(id)
      }
    }

    @Test(
      "A server whose name would be an option or a command is only not found",
      arguments: [
        "--help", "-c", "a\nb", "$(reboot)", "../../etc", String(repeating: "x", count: 300),
      ])
    func server(_ name: String) async throws {
      let outcome = try await Lab.imageCreate("--", name, "image")
      outcome.expect(1, error: "ERROR (ServerNotFound): No server with a name or ID of '")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }

    @Test(
      "A reserved or wrong key is named", arguments: ["id", "status", "os_glance_x", "a/b", "ü"])
    func key(_ key: String) async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate("--metadata", "\(key)=1", server, "x")
        outcome.expect(1, error: "ERROR (InvalidMetadata): The property key \"\(key)\"")
      }
    }

    @Test func `A spool folder in which everybody can write is refused, and so is one below it`()
      async throws
    {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
        for spool in [folder, folder + "/spool"] {
          try await leavingAsItWas(server) {
            let outcome = try await Lab.imageCreate("--spool-dir", spool, server, "x")
            outcome.expect(
              1,
              error: "ERROR (SpoolFolderNotUsable): the folder \(spool) is not safe: everybody can "
                + "write in the folder \(folder). ")
          }
        }
        #expect(Lab.names(in: folder).isEmpty)
      }
    }

    @Test func `A spool folder behind somebody else's link is refused`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        let link = folder + "/link"
        try await Lab.must("ln", "-s", "/etc", link)
        try await Lab.must("chown", "-h", "65534", link)
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate("--spool-dir", link + "/spool", server, "x")
          outcome.expect(1, error: "the link \(link) belongs to user 65534")
        }
        #expect(!FileManager.default.fileExists(atPath: "/etc/spool"))
      }
    }

    @Test(
      "A Keystone that answers nonsense is refused without showing password or answer",
      arguments: ["<html>Sign in marker-77</html>", #"{"token": {"marker-77"#, ""])
    func keystone(_ body: String) async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      let listener = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: 0))
      await listener.appendRoute("*") { _ in
        HTTPResponse(
          statusCode: .ok, headers: [.contentType: "text/html"], body: Data(body.utf8))
      }
      let task = Task { try await listener.run() }
      defer { task.cancel() }
      try await listener.waitUntilListening()
      guard case .ip4(_, let port)? = await listener.listeningAddress else {
        throw URLError(.cannotConnectToHost)
      }
      try await leavingAsItWas(server) {
        let url = "http://127.0.0.1:\(port)/v3"
        let outcome = try await Lab.imageCreate(
          server, "x", environment: Lab.openrc.merging(["OS_AUTH_URL": url]) { $1 })
        outcome.expect(1, error: "ERROR (BadAnswer): POST \(url)/auth/tokens was answered with ")
        let password = try #require(Lab.openrc["OS_PASSWORD"])
        #expect(!outcome.errors.contains(password) && !outcome.errors.contains("marker-77"))
      }
    }

    @Test func `A raw disk that begins with a forged qcow2 header is taken as raw`() async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      let disk = Guests.disk(server, .raw)
      try await Scratch.folder { folder in
        let (forged, kept) = (folder + "/forged", folder + "/kept")
        try await Lab.must(
          "qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", forged,
          "1G")
        try await Lab.must("dd", "if=\(disk)", "of=\(kept)", "bs=64k", "count=1")
        try await Lab.must(
          "dd", "if=\(forged)", "of=\(disk)", "bs=64k", "count=1", "conv=notrunc")
        do {
          let image = folder + "/image"
          let outcome = try await Lab.imageCreate(
            "--output", image, server, "x", environment: [:])
          outcome.expect(0)
          try await Lab.must("cmp", image, disk)
        } catch {
          _ = try await Lab.run("dd", ["if=\(kept)", "of=\(disk)", "bs=64k", "conv=notrunc"])
          throw error
        }
        try await Lab.must("dd", "if=\(kept)", "of=\(disk)", "bs=64k", "conv=notrunc")
      }
    }

    /// Defines a server, shut off, with a disk of this file.
    private func withServer(on disk: String, _ body: (String) async throws -> Void) async throws {
      let model = try await Guests.prepare(.overlay, .paused)
      let server = "t-odd"
      let xml = try await Lab.virsh("dumpxml", model, "--inactive", "--security-info")
        .replacing(Guests.disk(model, .overlay), with: disk)
        .replacing("<name>\(model)</name>", with: "<name>\(server)</name>")
        .replacing(/<uuid>[^<]*<\/uuid>/, with: "")
      let file = disk + ".xml"
      try Data(xml.utf8).write(to: URL(filePath: file))
      _ = try await Lab.virsh("define", file)
      do {
        try await body(server)
        _ = try await Lab.virsh("undefine", server)
      } catch {
        _ = try await Lab.virsh("undefine", server)
        throw error
      }
    }

    @Test func `A disk whose files can't or must not be opened is refused by name`() async throws {
      try await Scratch.folder { folder in
        let disk = folder + "/disk.qcow2"
        func create(_ path: String, over backing: String) async throws {
          try await Lab.must(
            "qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", backing, "-F", "qcow2", path,
            "64M")
        }
        try await withServer(on: disk) { server in
          let arguments = ["--output", folder + "/image", server, "x"]
          func expect(_ error: String) async throws {
            try await Lab.run(Lab.program, arguments).expect(1, error: error)
            #expect(!Lab.names(in: folder).contains("image"))
          }
          try await expect("ERROR (DiskNotReadable): \(disk) could not be read as qcow2: ")

          try await create(disk, over: folder + "/missing.qcow2")
          try await expect(
            "ERROR (DiskNotReadable): \(folder)/missing.qcow2 could not be read as qcow2: ")

          try await create(disk, over: folder + "/other.qcow2")
          try await create(folder + "/other.qcow2", over: disk)
          try await expect("ERROR (DiskNotReadable): the backing chain of disk 'vda' leads back to")

          try await create(disk, over: "nbd://127.0.0.1:1/x")
          try await expect("'nbd://127.0.0.1:1/x', which is not a file on this host")

          try await create(disk, over: "json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}")
          try await expect("which is not a file on this host")

          try await Lab.must(
            "qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=\(folder)/data.raw", disk,
            "64M")
          try await expect("names the external data file \(folder)/data.raw, which is not opened")
        }
      }
    }

    @Test
    func `a VMDK that names a file of root's is refused, and so is its name in a backing file`()
      async throws
    {
      try await Scratch.folder { folder in
        let (disk, secret) = (folder + "/disk.qcow2", folder + "/secret")
        let vmdk = folder + "/disk.vmdk"
        try Data(repeating: 83, count: 1 << 20).write(to: URL(filePath: secret))
        try Data(
          """
          # Disk DescriptorFile
          version=1
          CID=00000001
          parentCID=ffffffff
          createType="monolithicFlat"
          RW 2048 FLAT "\(secret)" 0
          ddb.geometry.cylinders = "2"

          """.utf8
        ).write(to: URL(filePath: vmdk))
        try await withServer(on: disk) { server in
          let image = folder + "/image"
          try await Lab.must(
            "qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", vmdk, "-F", "vmdk", disk, "1M")
          try await Lab.run(Lab.program, ["--output", image, server, "x"]).expect(
            1, error: "ERROR (DiskNotReadable): \(vmdk) is not a single sparse VMDK file")
          #expect(!FileManager.default.fileExists(atPath: image))
        }
      }
    }

    @Test(arguments: ["VMDK", "COWD", "# Disk DescriptorFile\nversion=1\n"])
    func `a raw disk that begins like a vmdk is taken as raw`(_ header: String) async throws {
      try await Scratch.folder { folder in
        let disk = folder + "/disk.raw"
        var data = Data(header.utf8)
        data += Data(repeating: 7, count: (1 << 20) - data.count)
        try data.write(to: URL(filePath: disk))
        let server = try await Guests.prepare(.raw, .shutOff)
        let xml = try await Lab.virsh("dumpxml", server, "--inactive", "--security-info")
          .replacing(Guests.disk(server, .raw), with: disk)
          .replacing("<name>\(server)</name>", with: "<name>t-odd</name>")
          .replacing(/<uuid>[^<]*<\/uuid>/, with: "")
        try Data(xml.utf8).write(to: URL(filePath: folder + "/xml"))
        _ = try await Lab.virsh("define", folder + "/xml")
        let outcome = try await Lab.run(
          Lab.program, ["--output", folder + "/image", "t-odd", "x"])
        _ = try await Lab.virsh("undefine", "t-odd")
        outcome.expect(0)
        #expect(FileManager.default.contents(atPath: folder + "/image") == data)
      }
    }

    @Test func `no secret is in the output, the journal, a command line or the log`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      let password = try #require(Lab.openrc["OS_PASSWORD"])
      try await Scratch.folder { folder in
        let log = folder + "/log"
        let seen = Seen()
        let outcome = try await Lab.imageCreate(
          ["-v", "--show", "--log-file", log, "--mechanism", "rebase", server, "x"],
          stoppedAt: "40%"
        ) { process in
          let journals = "/var/lib/image-create/journal"
          for name in Lab.names(in: journals) {
            seen.add(try String(contentsOfFile: "\(journals)/\(name)", encoding: .utf8))
          }
          seen.add(try await Lab.must("ps", "-ww", "-o", "args", "-e"))
          let limits = try String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8)
          #expect(limits.contains(/Max core file size +0 +0/))
        }
        outcome.expect(0)
        try await Cloud.delete(try #require(property("id", in: outcome.output)))
        let mode = try await Lab.must("stat", "--format=%a", log)
        #expect(mode == "600")
        let all =
          seen.text + outcome.output + outcome.errors
          + (try String(contentsOfFile: log, encoding: .utf8))
        #expect(all.contains("\"push\""))
        #expect(!all.contains(password))
        #expect(!all.contains("gAAAA"), "a Fernet token")
      }
    }

    /// What was seen while the program ran.
    private final class Seen: Sendable {
      private let state = Mutex("")
      var text: String { state.withLock { $0 } }
      func add(_ more: String) { state.withLock { $0 += more } }
    }
  }
}
