import ArgumentParser
import Foundation
import ImageService
import Libvirt
import SnapshotCore
import SystemPackage
import Testing

@testable import ImageCreateCommand

@Suite struct ExitStatusTests {
  // Swift Testing has one, too.
  private typealias ExitStatus = ImageCreateCommand.ExitStatus

  private static func libvirt(_ code: LibvirtError.Code, errno: Int32 = 0) -> LibvirtError {
    LibvirtError(
      operation: "virDomainSave", object: "server 'fed18'", code: code, message: "no",
      systemNumber: errno)
  }

  private static func snapshot(_ code: SnapshotError.Code, cause: (any Error)? = nil)
    -> SnapshotError
  {
    SnapshotError(code, "it failed", remedy: "Look", cause: cause)
  }

  private static func service(_ code: ImageServiceError.Code, cause: (any Error)? = nil)
    -> ImageServiceError
  {
    ImageServiceError(code, reason: "It failed.", remedy: "Look.", cause: cause)
  }

  private static let failures: [(any Error, ExitStatus)] = [
    // Another job or run, or a service that may be back.
    (snapshot(.serverBusy), .busy),
    (snapshot(.serverLocked), .busy),
    (SnapshotError(libvirt(.operationTimeout)), .busy),
    (libvirt(.operationTimeout), .busy),
    (service(.unavailable), .busy),
    // Sign-in and permission.
    (service(.unauthorized), .denied),
    (service(.forbidden), .denied),
    (service(.badConfiguration), .denied),
    (service(.writeFailed, cause: Errno.permissionDenied), .denied),
    (libvirt(.authFailed), .denied),
    (libvirt(.authCancelled), .denied),
    (libvirt(.authUnavailable), .denied),
    (libvirt(.accessDenied), .denied),
    (libvirt(.operationDenied), .denied),
    (libvirt(.systemError, errno: EACCES), .denied),
    (snapshot(.connectionFailed, cause: libvirt(.systemError, errno: EACCES)), .denied),
    (snapshot(.connectionFailed, cause: libvirt(.authUnavailable)), .denied),
    (snapshot(.spoolFailed, cause: Errno.permissionDenied), .denied),
    (snapshot(.serverLocked, cause: Errno.notPermitted), .denied),
    (snapshot(.journalFailed, cause: snapshot(.spoolFailed, cause: Errno.notPermitted)), .denied),
    (Errno.permissionDenied, .denied),
    (NSError(domain: NSPOSIXErrorDomain, code: Int(EACCES)), .denied),
    // Everything else failed.
    (libvirt(.systemError, errno: ENOENT), .failed),
    (snapshot(.connectionFailed, cause: libvirt(.systemError, errno: ECONNREFUSED)), .failed),
    (snapshot(.serverLocked, cause: Errno.ioError), .failed),
    (snapshot(.backupEnded, cause: snapshot(.unreadableDisk)), .failed),
    (snapshot(.notRestored), .failed),
    (snapshot(.notRecovered), .failed),
    (snapshot(.notPossible), .failed),
    (snapshot(.noSpace), .failed),
    (snapshot(.timedOut), .failed),
    (snapshot(.cancelled), .failed),
    (snapshot(.libvirtFailed, cause: libvirt(.internalError)), .failed),
    (service(.unreachable), .failed),
    (service(.connectionLost), .failed),
    (service(.timedOut), .failed),
    (service(.tooLarge), .failed),
    (service(.conflict), .failed),
    (service(.hashMismatch), .failed),
    (Errno.noSpace, .failed),
    (CancellationError(), .failed),
  ]

  @Test(arguments: failures.indices)
  func `each error has its status`(_ index: Int) {
    let (error, status) = Self.failures[index]
    #expect(ExitStatus(error) == status, "\(error)")
  }

  @Test func `the numbers never change`() {
    #expect(ExitStatus.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5])
    #expect(ExitStatus.table.map(\.number) == ["0", "1", "2", "3", "4", "5", "128+n"])
  }

  /// Other documents that repeat the table belong here.
  @Test(arguments: ["docs/exit-status.md", "README.md"])
  func `the documentation has the table`(_ path: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
    let rows = ExitStatus.table.map { "| \($0) | \($1) |" }.joined(separator: "\n")
    #expect(text.contains("|---|---|\n" + rows + "\n\n"))
  }

  @Test func `the help has the table`() throws {
    let help = ImageCreate.helpMessage(columns: 400)
    for (number, meaning) in ExitStatus.table {
      #expect(help.contains("  \(number)  \(meaning)\n"), "\(number)")
    }
  }
}
