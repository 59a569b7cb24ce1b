import Foundation
import Testing

extension IntegrationTests {
  /// A mechanism that is refused when it begins, as AppArmor or SELinux would.
  @Suite(.serialized)
  struct Fallback {
    /// Takes a snapshot for which QEMU may not create its socket in the run's folder.
    private func imageCreate(_ arguments: [String]) async throws -> Lab.Outcome {
      try await Lab.imageCreate(
        ["--quiesce", "never"] + arguments, stoppedAt: "push abortBackup+"
      ) { _ in try await Lab.must("chmod", "-R", "g-w", Lab.spoolFolder) }
    }

    @Test func `A backup that is refused is undone, and the copy is the image`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let before = Set(try await Cloud.imageIDs())
        let outcome = try await imageCreate([server, "fallback"])
        outcome.expect(
          0,
          error: "warning: backup was refused, trying copy: QEMU may not create its files in "
            + Lab.spoolFolder)
        let id = try #require(try await Cloud.imageIDs().first { !before.contains($0) })
        #expect(try await Cloud.image(id)["image_create:mechanism"] == "copy")
        try await expectEqual(
          image: Cloud.file(id), "qcow2", disk: Guests.disk(server, .overlay), "qcow2")
        try await Cloud.delete(id)
      }
    }

    @Test func `A mechanism that was asked for is not replaced`() async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      try await leavingAsItWas(server) {
        let outcome = try await imageCreate(["--mechanism", "backup", server, "fallback"])
        outcome.expect(1, error: "ERROR (LibvirtCallFailed): backup was refused on server")
      }
    }
  }
}
