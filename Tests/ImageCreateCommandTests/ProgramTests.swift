import Foundation
import Testing

@testable import ImageCreateCommand

/// Exit statuses of whole runs that end before anything is touched.
@Suite(.serialized) struct ProgramTests {
  @Test(arguments: [["--help"], ["-h"], ["--version"], ["fed18", "--help"]])
  func `help and version are a success`(_ line: [String]) async {
    #expect(await Program.run(arguments: line, environment: [:]) == 0)
  }

  @Test(arguments: [[], ["fed18"], ["--nonsense"], ["--live", "--cold", "a", "b"]])
  func `wrong usage is 2`(_ line: [String]) async {
    #expect(await Program.run(arguments: line, environment: [:]) == 2)
  }

  static let failures: [([String], [String: String])] = [
    (["--connect", "test:///default", "nosuch", "snap1"], [:]),
    (["nosuch", "snap1"], ["LIBVIRT_DEFAULT_URI": "test:///default"]),
    (["--connect", "nosuch:///x", "fed18", "snap1"], [:]),
    // The test driver's server has no disk.
    (["--connect", "test:///default", "test", "snap1"], [:]),
    (["--connect", "test:///default", "--dry-run", "test", "snap1"], [:]),
    (["--connect", "test:///default", "--log-file", "/nosuch/log", "test", "snap1"], [:]),
  ]

  @Test func `missing credentials are 4`() async {
    let status = await Program.run(
      arguments: ["-c", "test:///default", "test", "snap1"],
      environment: ["HOME": NSTemporaryDirectory(), "OS_AUTH_URL": "http://127.0.0.1:1"])
    #expect(status == 4)
  }

  @Test(arguments: failures)
  func `a failure exits 1`(_ line: [String], variables: [String: String]) async {
    let environment = variables.merging(["HOME": NSTemporaryDirectory()]) { set, _ in set }
    #expect(await Program.run(arguments: line, environment: environment) == 1)
  }

  @Test func `the log file tells what was done, and is private`() async throws {
    let path = NSTemporaryDirectory() + "/image-create-log-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for _ in 1...2 {
      let status = await Program.run(
        arguments: ["--connect", "test:///default", "--log-file", path, "nosuch", "snap1"],
        environment: ["HOME": NSTemporaryDirectory()])
      #expect(status == 1)
    }
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 2, "appended")
    #expect(lines.allSatisfy { $0.hasSuffix(" info: connecting to test:///default") })
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }
}
