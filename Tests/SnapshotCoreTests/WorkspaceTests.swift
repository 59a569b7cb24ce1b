import Foundation
import QemuTools
import Testing

@testable import SnapshotCore

@Suite struct WorkspaceTests {
  /// Whose QEMU it is in these tests: nobody.
  private static let owner = DomainDescription.Owner(user: 65534, group: 65534)

  private static func workspace(_ folder: TemporaryFolder) throws -> Workspace {
    let place = Workspace.Place(spoolFolder: folder.path, stateFolder: folder.path)
    return try Workspace(folder.file("run"), in: place, owner: owner)
  }

  /// Mode, user and group.
  private static func access(_ path: String) async throws -> String {
    try await Command.run("stat", "--format=%a %u %g", path).output
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  @Test(.enabled(if: getuid() == 0, "only root can have a folder of two users"))
  func `QEMU's user can write in a folder of its own and nowhere else`() async throws {
    let folder = try TemporaryFolder()
    let workspace = try Self.workspace(folder)
    #expect(try await Self.access(workspace.folder) == "710 0 65534")
    #expect(try await Self.access(workspace.folder + "/own") == "700 0 0")
    #expect(try await Self.access(workspace.folder + "/qemu") == "710 0 65534")
    try workspace.letOwnerCreateFiles()
    #expect(try await Self.access(workspace.folder) == "710 0 65534")
    #expect(try await Self.access(workspace.folder + "/qemu") == "1730 0 65534")
  }

  @Test func `what we create lies where only we reach it, and what QEMU opens does not`() throws {
    let folder = try TemporaryFolder()
    let workspace = try Self.workspace(folder)
    #expect(workspace.path("image.raw") == folder.file("run/own/image.raw"))
    #expect(workspace.pathForQEMU("disk.sock") == folder.file("run/qemu/disk.sock"))
    #expect(Backup.scratchPath(in: workspace) == folder.file("run/qemu/scratch.qcow2"))
  }

  @Test(.enabled(if: getuid() == 0, "only root can give files away"))
  func `a file is handed over with its owner changed, and not through a link`() async throws {
    let folder = try TemporaryFolder()
    let workspace = try Self.workspace(folder)
    let file = workspace.path("delta.qcow2")
    let target = workspace.pathForQEMU("delta.qcow2")
    try Data([1]).write(to: URL(filePath: file))
    let victim = folder.file("victim")
    try Data([2]).write(to: URL(filePath: victim))
    try FileManager.default.createSymbolicLink(atPath: target, withDestinationPath: victim)
    #expect(throws: SnapshotError.self) { try workspace.handOver(file, to: target) }
    #expect(try await Self.access(victim).hasSuffix(" 0 0"))
    #expect(FileManager.default.contents(atPath: victim) == Data([2]))

    try FileManager.default.removeItem(atPath: target)
    try workspace.handOver(file, to: target)
    #expect(try await Self.access(target).hasSuffix(" 65534 65534"))
    #expect(!FileManager.default.fileExists(atPath: file))
  }

  @Test func `a run's folder is removed, and what links in it lead to is not`() async throws {
    let folder = try TemporaryFolder()
    let workspace = try Self.workspace(folder)
    let victim = folder.file("victim")
    try FileManager.default.createDirectory(
      atPath: victim, withIntermediateDirectories: false)
    try Data([2]).write(to: URL(filePath: victim + "/file"))
    try FileManager.default.createSymbolicLink(
      atPath: workspace.pathForQEMU("link"), withDestinationPath: victim)
    try Data([3]).write(to: URL(filePath: workspace.path("image.raw")))
    try Workspace.remove(workspace.folder)
    #expect(!FileManager.default.fileExists(atPath: workspace.folder))
    #expect(FileManager.default.fileExists(atPath: victim + "/file"))
  }

  @Test func `a directory that QEMU's user has created is not walked through`() async throws {
    let folder = try TemporaryFolder()
    let workspace = try Self.workspace(folder)
    let trap = workspace.pathForQEMU("trap")
    try FileManager.default.createDirectory(atPath: trap, withIntermediateDirectories: false)
    try Data([3]).write(to: URL(filePath: trap + "/file"))
    let error = #expect(throws: SnapshotError.self) { try Workspace.remove(workspace.folder) }
    #expect(error?.code == .notRestored)
    #expect(FileManager.default.fileExists(atPath: trap + "/file"))
    // Nobody but us can change it any more.
    #expect(try await Self.access(workspace.folder + "/qemu").hasPrefix("700 "))
  }
}
