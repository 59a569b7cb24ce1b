import Foundation
import Testing

@testable import SnapshotCore

@Suite struct FileSystemTests {
  @Test func `a path that does not exist is on the file system of the nearest folder above`() throws
  {
    let folder = NSTemporaryDirectory()
    let there = try #require(FileSystem.holding(folder))
    let below = try #require(FileSystem.holding(folder + "/nosuch/spool/x"))
    #expect(there.id == below.id && there.hasReflinks == below.hasReflinks)
    let proc = try #require(FileSystem.holding("/proc/nosuch"))
    #expect(proc.id != there.id)
    #expect(proc.freeBytes == 0 && !proc.hasReflinks)
    #expect(there.freeBytes > 0)
  }

  @Test func `a relative path that leads nowhere is on no file system`() {
    #expect(FileSystem.holding("nosuch") == nil)
  }
}
