import ImageService
import Libvirt
@testable import SnapshotCore
import Testing

@testable import ImageCreateCommand

@Suite struct ErrorReportTests {
  private struct Odd: Error, CustomStringConvertible { let description: String }

  static let table: [(any Error, String)] = [
    (
      SnapshotError(.noDisk, "server 'a' has no disk", remedy: "Look with `virsh domblklist a`"),
      "ERROR (DiskNotFound): server 'a' has no disk. Look with `virsh domblklist a`."
    ),
    (
      SnapshotError(.badXML, "it ended.", remedy: "Check it. "),
      "ERROR (DomainXMLNotUnderstood): it ended. Check it."
    ),
    (
      ImageServiceError(
        .fileExists, reason: "The file /x existed already.", remedy: "Choose another."),
      "ERROR (FileExists): The file /x existed already. Choose another."
    ),
    (
      LibvirtError(
        operation: "virDomainManagedSave", object: "server 'a'", code: .operationTimeout,
        domain: 10, message: "cannot acquire state change lock"),
      "ERROR (LibvirtCallFailed): virDomainManagedSave on server 'a' failed: cannot acquire state "
        + "change lock (libvirt code 68, domain 10). Another job holds the server: look with "
        + "`virsh domjobinfo`, wait for it and try again."
    ),
    (
      CancellationError(),
      "ERROR (Cancelled): the snapshot was stopped. Run it again when ready."
    ),
    (
      Odd(description: "two\nlines\r\nof it..."),
      "ERROR (Unexpected): two lines of it. Run it again with --verbose and report it."
    ),
    (
      SnapshotError(.libvirtFailed, "a\nb", remedy: "c\n\nd"),
      "ERROR (LibvirtCallFailed): a b. c d."
    ),
  ]

  @Test(arguments: table.indices)
  func `an error is one line with code, reason and what to do`(_ row: Int) {
    let (error, line) = Self.table[row]
    #expect(ErrorReport.line(for: error) == line)
  }

  @Test func `what libvirt's error numbers mean is said in the remedy`() {
    let codes: [(LibvirtError.Code, String)] = [
      (.operationTimeout, "virsh domjobinfo"), (.systemError, "libvirt daemon runs"),
      (.authFailed, "you may use it"), (.noDomain, "virsh list --all"),
      (.internalError, "/var/log/libvirt/qemu"),
    ]
    for (code, hint) in codes {
      let error = LibvirtError(operation: "o", object: "b", code: code, message: "m")
      #expect(ErrorReport.line(for: error).contains(hint))
    }
  }

  static let failures: [(any Error, String)] = [
    (SnapshotError(.notRestored, "its memory is gone.", remedy: "r"), "its memory is gone"),
    (ImageServiceError(.forbidden, reason: "Glance said no.", remedy: "r"), "Glance said no"),
    (Odd(description: "odd"), "odd"),
  ]

  @Test(arguments: failures.indices)
  func `what is left over comes with a command that can be pasted`(_ row: Int) async throws {
    let (failure, reason) = Self.failures[row]
    let leftover = try await leftover(failure)
    #expect(
      ErrorReport.line(for: leftover, server: "it's", uri: "qemu:///system")
        == "ERROR (NotUndone): could not thaw the guest's file systems: \(reason). "
        + "If the agent runs in the guest, libvirt has lost it: restart libvirtd (guests go on). "
        + "Do it by hand: `virsh -c qemu:///system domfsthaw 'it'\\''s'`.")
  }

  /// A leftover can only be made by an undo that fails.
  private func leftover(_ error: any Error) async throws -> UndoStack.Leftover {
    let stack = UndoStack { _ in throw error }
    try await stack.push(.thaw)
    return try #require(await stack.unwind().first)
  }
}
