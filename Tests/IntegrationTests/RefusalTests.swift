import Foundation
import Testing

extension IntegrationTests {
  /// Wrong input: one look at one line, and nothing is touched.
  @Suite(.serialized)
  struct Refusals {
    /// What is typed, with the lab's variables changed, and what comes of it.
    struct Case: Sendable, CustomTestStringConvertible {
      let what: String
      var arguments: [String] = []
      var name = "image"
      var changes: [String: String] = [:]
      var status: Int32 = 1
      let error: String

      var testDescription: String { what }
    }

    static let cases = [
      Case(
        what: "a URI at which nobody listens",
        arguments: ["--connect", "qemu+unix:///system?socket=/nonexistent"],
        error: "ERROR (ConnectionFailed): libvirt at qemu+unix:///system?socket=/nonexistent"),
      Case(
        what: "a URI of no driver", arguments: ["--connect", "nosuch:///x"],
        error: "ERROR (ConnectionFailed): libvirt at nosuch:///x"),
      Case(what: "an empty name", name: "", error: "ERROR (InvalidName)"),
      Case(
        what: "a name of 256 characters", name: String(repeating: "x", count: 256),
        error: "ERROR (InvalidName)"),
      Case(what: "a name with a newline", name: "a\nb", error: "ERROR (InvalidName)"),
      Case(
        what: "a metadata pair without =", arguments: ["--metadata", "foo"], status: 2,
        error: "'foo'"),
      Case(
        what: "a reserved key", arguments: ["--metadata", "os_glance_x=1"],
        error: "ERROR (InvalidMetadata): The property key \"os_glance_x\""),
      Case(
        what: "a value of 256 characters",
        arguments: ["--metadata", "a=" + String(repeating: "x", count: 256)],
        error: "ERROR (InvalidMetadata)"),
      Case(
        what: "a format nobody knows", arguments: ["--disk-format", "nope"], status: 2,
        error: "'nope'"),
      Case(
        what: "live and cold at once", arguments: ["--live", "--cold"], status: 2,
        error: "--live and --cold are mutually exclusive"),
      Case(
        what: "a disk that is not there", arguments: ["--disk", "vdz"],
        error: "ERROR (DiskNotFound)"),
      Case(
        what: "a wrong password", changes: ["OS_PASSWORD": "wrong-Secret-77"], status: 4,
        error: "ERROR (Unauthorized)"),
      Case(
        what: "a Keystone at which nobody listens", arguments: ["--upload-patience", "1s"],
        changes: ["OS_AUTH_URL": "http://127.0.0.1:9/v3"], error: "ERROR (Unreachable)"),
      Case(
        what: "a Glance at which nobody listens", arguments: ["--upload-patience", "1s"],
        changes: ["OS_IMAGE_ENDPOINT_OVERRIDE": "http://127.0.0.1:9"],
        error: "ERROR (Unreachable)"),
      Case(
        what: "a region that does not exist", changes: ["OS_REGION_NAME": "Nowhere"],
        status: 4, error: "in region Nowhere"),
      Case(
        what: "no password at all", changes: ["OS_PASSWORD": ""], status: 4,
        error: "OS_PASSWORD"),
      Case(
        what: "a file that exists", arguments: ["--output", "/etc/hostname"],
        error: "ERROR (FileExists)"),
      Case(
        what: "a folder that does not exist", arguments: ["--output", "/nonexistent/x"],
        error: "ERROR (BadDirectory)"),
      Case(
        what: "a spool folder that can't be made", arguments: ["--spool-dir", "/proc/x"],
        error: "ERROR (SpoolFolderNotUsable)"),
      Case(
        what: "a spool folder whose sockets would have too long a path",
        arguments: ["--spool-dir", "/nonexistent/" + String(repeating: "x", count: 90)],
        error: "has a path of 103 bytes, and a socket in it can have one of 83 at most"),
      Case(
        what: "a format that can't be streamed",
        arguments: ["--stream", "--disk-format", "vmdk"],
        error: "vmdk can't be streamed"),
      Case(
        what: "a compressed image in a format without compression",
        arguments: ["--compress", "--disk-format", "raw"],
        error: "ERROR (DiskFormatNotSupported)"),
    ]

    @Test func `Root writes no image into a folder that others can change`() async throws {
      let server = try await Guests.prepare(.raw, .shutOff)
      try await Scratch.folder { folder in
        try await Lab.must("chmod", "0777", folder)
        try await leavingAsItWas(server) {
          try await Lab.imageCreate("--output", folder + "/i.raw", server, "x")
            .expect(1, error: "everybody can write in the folder \(folder)")
        }
        #expect(Lab.names(in: folder) == [])
      }
    }

    @Test("Wrong input is refused on one line and nothing is touched", arguments: cases)
    func refused(_ wrong: Case) async throws {
      try Lab.require()
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.run(
          Lab.program, wrong.arguments + [server, wrong.name],
          environment: Lab.openrc.merging(wrong.changes) { _, changed in changed })
        outcome.expect(wrong.status, error: wrong.error)
        #expect(outcome.output.isEmpty)
        // A rehearsal goes the same way, but for the deed.
        let rehearsal = try await Lab.run(
          Lab.program, ["--dry-run"] + wrong.arguments + [server, wrong.name],
          environment: Lab.openrc.merging(wrong.changes) { _, changed in changed })
        rehearsal.expect(wrong.status)
        // Each request has an id of its own.
        let requestID = /req-[0-9a-f-]{36}/
        #expect(
          rehearsal.errors.replacing(requestID, with: "")
            == outcome.errors.replacing(
              requestID, with: "") && rehearsal.output.isEmpty)
        if wrong.status != 2 { #expect(outcome.errors.split(separator: "\n").count == 1) }
        #expect(!(outcome.errors + outcome.output).contains("wrong-Secret-77"))
        let password = try #require(Lab.openrc["OS_PASSWORD"])
        #expect(!(outcome.errors + outcome.output).contains(password))
      }
    }

    @Test func `A server that does not exist gets nova's message`() async throws {
      let outcome = try await Lab.imageCreate("nosuch", "image")
      outcome.expect(
        1, error: "ERROR (ServerNotFound): No server with a name or ID of 'nosuch' exists")
    }

    @Test func `A spool folder that QEMU's user can't enter is refused`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.folder { folder in
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder)
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate("--spool-dir", folder + "/spool", server, "x")
          outcome.expect(1, error: "can't enter \(folder)")
        }
      }
    }

    @Test func `A spool folder that is too small is refused with both numbers`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await Scratch.fileSystem(mebibytes: 8) { folder in
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate("--spool-dir", folder, server, "x")
          outcome.expect(1, error: "ERROR (NoSpace): the spool folder \(folder) has ")
          let rehearsal = try await Lab.imageCreate(
            "--dry-run", "--spool-dir", folder, server, "x")
          rehearsal.expect(1, error: "ERROR (NoSpace): the spool folder \(folder) has ")
        }
      }
    }

    @Test func `A disk that can't be read is refused`() async throws {
      let server = try await Guests.prepare(.qcow2, .shutOff)
      let disk = Guests.disk(server, .qcow2)
      try FileManager.default.moveItem(atPath: disk, toPath: disk + ".away")
      defer { try? FileManager.default.moveItem(atPath: disk + ".away", toPath: disk) }
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate(server, "x")
        outcome.expect(1, error: "ERROR (DiskNotReadable): \(disk) could not be read as qcow2")
      }
    }

    @Test(
      "A Glance that refuses the upload gets its image deleted",
      arguments: [
        (401, "Unauthorized", .beforeBody, 4), (403, "Forbidden", .beforeBody, 4),
        // One that is lost with its connection can't be told from the broken upload's own.
        (409, "Conflict", .afterBody, 1), (413, "TooLarge", .beforeBody, 1),
        (415, "UnsupportedMedia", .beforeBody, 1), (503, "Unavailable", .beforeBody, 5),
      ] as [(Int, String, RefusingProxy.Moment, Int32)])
    func refusedUpload(
      _ status: Int, _ code: String, _ moment: RefusingProxy.Moment, _ exitStatus: Int32
    ) async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        try await RefusingProxy.run(status: status, moment) { url in
          let environment = Lab.openrc.merging(["OS_IMAGE_ENDPOINT_OVERRIDE": url]) { $1 }
          let outcome = try await Lab.imageCreate(
            "--retries", "0", server, "x", environment: environment)
          outcome.expect(exitStatus, error: "ERROR (\(code)): ")
          #expect(outcome.errors.split(separator: "\n").count == 1)
        }
      }
    }
  }
}
