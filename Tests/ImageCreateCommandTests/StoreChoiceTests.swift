import ArgumentParser
import Foundation
import ImageService
import Logging
import SnapshotCore
import Testing

@testable import ImageCreateCommand

/// Where the image goes.
@Suite struct StoreChoiceTests {
  static let openrc = [
    "OS_AUTH_URL": "http://127.0.0.1:5000/v3", "OS_USERNAME": "ann", "OS_PASSWORD": "pw",
    "OS_PROJECT_NAME": "blue",
  ]
  private static let glance = "Glance (Keystone at http://127.0.0.1:5000/v3)"
  private static var standard: String {
    DefaultImageFolder.path(userID: getuid(), environment: ["HOME": "/home/ann"]) ?? "none"
  }

  private func choose(_ line: [String], _ environment: [String: String]) throws
    -> StoreChoice.Target
  {
    let command = try #require(
      try ImageCreate.parseAsRoot(line + ["fed18", "snap1"]) as? ImageCreate)
    return try StoreChoice(
      options: command.options,
      environment: environment.merging(["HOME": "/home/ann"]) { set, _ in set },
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ).choose()
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var line: [String] = []
    var environment: [String: String] = [:]
    let store: String
    let because: String
    var hasNotice = false
    var testDescription: String { "\(line) \(environment.keys.sorted())" }
  }

  static let table: [Row] = [
    Row(
      store: "local image folder \(standard)", because: "no OS_* variables are set",
      hasNotice: true),
    Row(
      environment: ["OS_REGION_NAME": "one", "OS_AUTH_URL": ""],
      store: "local image folder \(standard)", because: "no OS_* variables are set",
      hasNotice: true),
    Row(environment: openrc, store: glance, because: "OS_* variables are set"),
    Row(line: ["--to", "glance"], environment: openrc, store: glance, because: "--to glance"),
    Row(
      line: ["--to", "folder"], store: "local image folder \(standard)", because: "--to folder"),
    Row(
      line: ["--to", "folder"], environment: openrc, store: "local image folder \(standard)",
      because: "--to folder"),
    Row(
      line: ["--to", "folder", "--image-dir", "/i"], store: "local image folder /i",
      because: "--to folder"),
    Row(line: ["--image-dir", "/i"], store: "local image folder /i", because: "--image-dir"),
    Row(
      line: ["--image-dir", "/i"], environment: openrc, store: "local image folder /i",
      because: "--image-dir"),
    Row(line: ["--output", "/o.raw"], store: "file /o.raw", because: "--output"),
    Row(
      line: ["--output", "/o.raw"], environment: openrc, store: "file /o.raw",
      because: "--output"),
  ]

  @Test(arguments: table)
  func `options come before variables, and variables before the folder`(_ row: Row) throws {
    let target = try choose(row.line, row.environment)
    #expect(target.store.name == row.store)
    #expect(target.because == row.because)
    #expect((target.notice != nil) == row.hasNotice)
  }

  @Test func `a lost environment is noticed, with the image's place and what to do`() throws {
    let id = try #require(UUID(uuidString: "3A7C9E10-0000-4000-8000-000000000001"))
    let target = try choose([], [:])
    let notice = try #require(target.notice)
    #expect(
      notice(id)
        == "image-create: no image service is configured (no OS_* variables), so the image "
        + "is in \(Self.standard)/3a7c9e10-0000-4000-8000-000000000001; to upload instead, source "
        + "your openrc file (--to folder silences this)")
  }

  static let refusals: [([String], [String: String], String)] = [
    (["--to", "glance"], [:], "OS_AUTH_URL"),
    ([], ["OS_AUTH_URL": "http://127.0.0.1:5000/v3"], "OS_PASSWORD"),
    ([], ["OS_CLOUD": "prod"], "clouds.yaml"),
  ]

  @Test(arguments: refusals)
  func `half an environment is refused, not taken for none`(
    _ line: [String], _ environment: [String: String], named: String
  ) throws {
    let error = try #require(throws: ImageServiceError.self) { try choose(line, environment) }
    #expect(error.code == .badConfiguration)
    #expect(error.reason.contains(named))
  }
}
