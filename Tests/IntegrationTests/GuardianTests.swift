import Foundation
import Testing

extension IntegrationTests {
  /// The process that undoes a run which is killed. That it does so wherever a run is killed is
  /// `scripts/torture`'s to prove.
  @Suite(.serialized)
  struct Guardian {
    private static let journals = "/var/lib/image-create/journal"

    /// Waits until no guardian undoes anything any more.
    static func waitUntilDone() async throws {
      try await Lab.wait("the guardian's end") {
        try await Lab.run("pgrep", ["-f", "image-create-guardian|image-create --guardian"]).output
          == ""
      }
    }

    /// The guardians that wait for the end of their run.
    private func waiting() async throws -> [String] {
      try await Lab.run("pgrep", ["-f", "^/bin/sh -c trap.*image-create-guardian"]).output
        .split(separator: "\n").map(String.init)
    }

    private func isFrozen(_ server: String) async throws -> Bool {
      try await Lab.virsh("qemu-agent-command", server, #"{"execute":"guest-fsfreeze-status"}"#)
        .contains("frozen")
    }

    @Test func `A guest that is frozen when its run is killed is thawed within 5 s`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      try await Scratch.folder { folder in
        let log = folder + "/log"
        try await leavingAsItWas(server) {
          let outcome = try await Lab.imageCreate(
            ["--log-file", log, server, "killed"], stoppedAt: "6+", guarded: true
          ) {
            // A run that stands still is not dead.
            #expect(try await isFrozen(server))
            let killed = ContinuousClock.now
            try await Lab.must("kill", "-KILL", "\($0)")
            try await Lab.wait("thaw") { try await !isFrozen(server) }
            #expect(ContinuousClock.now - killed < .seconds(5))
          }
          outcome.expect(128 + SIGKILL)
          try await Self.waitUntilDone()
          #expect(Lab.names(in: Self.journals) == [])
        }
        let text = try String(contentsOfFile: log, encoding: .utf8)
        #expect(text.contains("did thaw the guest's file systems"))
        #expect(text.contains("its guardian has undone everything"), "\(text)")
      }
      try await Guests.expectAlive(server)
    }

    @Test func `A guardian is small, in a session of its own, and shows no secret`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      let outcome = try await Lab.imageCreate(
        ["--quiesce", "never", server, "x"], stoppedAt: "4+", guarded: true
      ) { run in
        let guardian = try #require(try await waiting().first)
        let shown = try String(contentsOfFile: "/proc/\(guardian)/environ", encoding: .utf8)
        #expect(!shown.contains("OS_"), "\(shown)")
        let (session, size) = try await numbers(of: guardian)
        #expect("\(session)" == guardian)
        #expect(size < 20_000, "\(size) kB")
        // Nothing but the run may hold the end that its death must close.
        let pipe = try FileManager.default.destinationOfSymbolicLink(
          atPath: "/proc/\(guardian)/fd/0")
        #expect(try await holders(of: pipe).sorted() == ["\(run)", guardian].sorted())
        try await Lab.must("kill", "-INT", "\(run)")
      }
      outcome.expect(130)
      #expect(try await waiting() == [])
    }

    private func numbers(of process: String) async throws -> (session: Int, kilobytes: Int) {
      let found = try await Lab.must("ps", "-o", "sid=,rss=", "-p", process)
        .split(separator: " ").compactMap { Int($0) }
      return (try #require(found.first), try #require(found.last))
    }

    private func holders(of pipe: String) async throws -> Set<String> {
      // A pattern, in which brackets mean something else.
      let name = pipe.replacing("[", with: "\\[").replacing("]", with: "\\]")
      let links = try await Lab.run(
        "find", ["/proc", "-path", "/proc/[0-9]*/fd/*", "-lname", name])
      return Set(links.output.split(separator: "\n").map { "\($0.split(separator: "/")[1])" })
    }

    @Test func `A run that ends well leaves no guardian, nor does one that fails`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await Scratch.folder { folder in
        for (arguments, status) in [
          (["--output", folder + "/i.raw"], Int32(0)), (["--timeout", "1", "--cold"], 1),
        ] {
          try await Lab.run(Lab.program, arguments + [server, "x"], environment: Lab.openrc)
            .expect(status)
          #expect(try await waiting() == [])
        }
      }
      try await Guests.expectAlive(server)
    }

    @Test func `A guardian that is killed with its run leaves it to --recover`() async throws {
      let server = try await Guests.prepare(.raw, .running)
      try await Guests.expectAlive(server)
      try await leavingAsItWas(server) {
        let outcome = try await Lab.imageCreate([server, "killed"], stoppedAt: "6+", guarded: true)
        {
          try await Lab.must("kill", "-KILL", try #require(try await waiting().first), "\($0)")
        }
        outcome.expect(128 + SIGKILL)
        #expect(try await isFrozen(server))
        #expect(Lab.names(in: Self.journals).count == 1)
        try await Lab.imageCreate("--recover").expect(0)
        #expect(try await !isFrozen(server))
      }
    }
  }
}
