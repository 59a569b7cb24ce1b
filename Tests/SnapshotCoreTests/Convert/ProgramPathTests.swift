import Foundation
import QemuTools
import Testing

@testable import SnapshotCore

@Suite struct ProgramPathTests {
  /// Makes a program of this name in a folder.
  private func add(_ name: String, to folder: String, mode: Int = 0o755) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let made = FileManager.default.createFile(
      atPath: folder + "/" + name, contents: Data("#!/bin/sh\n".utf8),
      attributes: [.posixPermissions: mode])
    #expect(made)
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = try TemporaryFolder()
    try body(folder.path)
  }

  private func allow(_ mode: Int, on path: String) throws {
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  private func find(_ name: String, _ searchPath: String, after first: [String] = [])
    throws(SnapshotError) -> String
  {
    try ProgramPath(searchPath: searchPath, after: first).find(name, package: "some-package")
  }

  @Test func `a directory of the system comes before PATH`() throws {
    try withFolder { folder in
      try add("ls", to: folder)
      let found = try find("ls", folder, after: ProgramPath.systemDirectories)
      #expect(ProgramPath.systemDirectories.contains { found == $0 + "/ls" })
    }
  }

  @Test func `a directory of PATH that nobody else can write to is used`() throws {
    try withFolder { folder in
      try add("prog", to: folder + "/bin")
      #expect(try find("prog", "relative:\(folder)/bin") == folder + "/bin/prog")
    }
  }

  @Test(arguments: [0o777, 0o1777, 0o757])
  func `a program in a directory that others can write to is passed over`(_ mode: Int) throws {
    try withFolder { folder in
      try add("prog", to: folder + "/open")
      try allow(mode, on: folder + "/open")
      let error = #expect(throws: SnapshotError.self) { try find("prog", "\(folder)/open") }
      #expect(error?.code == .programFailed)
      #expect(error?.reason.contains("\(folder)/open/prog is not used: ") == true)
      #expect(error?.remedy == "Install it: `apt-get install some-package`")

      try add("prog", to: folder + "/closed")
      #expect(try find("prog", "\(folder)/open:\(folder)/closed") == folder + "/closed/prog")
    }
  }

  @Test func `a program that others can change is passed over, also behind a link`() throws {
    try withFolder { folder in
      try add("prog", to: folder + "/a")
      try allow(0o777, on: folder + "/a/prog")
      #expect(throws: SnapshotError.self) { try find("prog", folder + "/a") }

      try add("real", to: folder + "/open")
      try allow(0o777, on: folder + "/open")
      try FileManager.default.createDirectory(
        atPath: folder + "/b", withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/b/prog", withDestinationPath: "../open/real")
      #expect(throws: SnapshotError.self) { try find("prog", folder + "/b") }
    }
  }

  @Test func `a directory, a file that can't be run and a missing file are no programs`() throws {
    try withFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder + "/a/prog", withIntermediateDirectories: true)
      try add("prog", to: folder + "/b", mode: 0o644)
      let error = #expect(throws: SnapshotError.self) {
        try find("prog", "\(folder)/a:\(folder)/b:\(folder)/c")
      }
      #expect(error?.reason == "the program prog was not found")
    }
  }
}
