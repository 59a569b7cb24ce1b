import Foundation
import QemuTools
import SystemPackage
import Testing

@testable import SnapshotCore

@Suite struct FolderRehearsalTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func `a folder that can be created is not created`() throws {
    let place = Workspace.Place(
      spoolFolder: folder.file("a/b/spool"), stateFolder: folder.file("a/state"))
    try Workspace.check(place, owner: nil)
    try Journal.check(in: folder.file("a/journal"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("a")))
    try Workspace.prepare(place, owner: nil)
    #expect(FileManager.default.fileExists(atPath: place.spoolFolder))
  }

  @Test(arguments: ["/proc/x", "/sys/x/y"])
  func `what nobody can create is an obstacle`(_ path: String) throws {
    #expect(FolderRehearsal.obstacle(to: path) != nil)
  }

  @Test func `a file in the way is an obstacle`() throws {
    try Data().write(to: URL(filePath: folder.file("file")))
    for path in ["file", "file/below"] {
      let obstacle = try #require(FolderRehearsal.obstacle(to: folder.file(path)))
      #expect(obstacle.error == .notDirectory)
    }
  }
}
