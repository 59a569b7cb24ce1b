import Foundation
import Subprocess
import SystemPackage
import Testing

/// The lab that `scripts/lab up` started, and the built program.
enum Lab {
  /// How a program ended.
  struct Outcome: Sendable {
    let status: Int32
    let output: String
    let errors: String

    /// Fails the test unless the program ended with this status and, with `error`, said this word.
    func expect(
      _ status: Int32, error: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      #expect(
        self.status == status, "stdout: \(output)\nstderr: \(errors)",
        sourceLocation: sourceLocation)
      if let error {
        #expect(errors.contains(error), "stderr: \(errors)", sourceLocation: sourceLocation)
      }
    }
  }

  /// The checkout.
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// `.lab/env`; empty where there is no lab.
  static let settings = variables(in: root + "/.lab/env")
  /// `.lab/openrc`.
  static let openrc = variables(in: root + "/.lab/openrc")

  static var guestFolder: String { settings["LAB_GUEST_DIR"] ?? "/var/lib/image-create-lab" }
  static var imageFolder: String { (settings["LAB_DIR"] ?? root + "/.lab") + "/glance/images" }
  static let spoolFolder = "/var/lib/image-create/spool"
  static let stateFolder = "/var/lib/image-create/state"

  /// The program under test, beside the test bundle.
  static var program: String {
    ProcessInfo.processInfo.environment["IMAGE_CREATE"] ?? root + "/.build/debug/image-create"
  }

  /// Fails, with what to do, where no lab runs: an integration test never skips.
  static func require() throws {
    try #require(
      !settings.isEmpty && !openrc.isEmpty,
      "no lab runs: scripts/lab up (or `make test UNIT=1` for the tests that need none)")
  }

  /// Runs a program to its end.
  @discardableResult
  static func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:]
  ) async throws -> Outcome {
    let result = try await Subprocess.run(
      program.contains("/") ? .path(FilePath(program)) : .name(program),
      arguments: Arguments(arguments),
      environment: .inherit.updating(updates(environment)),
      output: .string(limit: 1 << 24), error: .string(limit: 1 << 24))
    return Outcome(
      status: number(result.terminationStatus), output: result.standardOutput,
      errors: result.standardError)
  }

  /// Runs a program that must succeed, and gives its output without the last newline.
  @discardableResult
  static func must(
    _ program: String, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> String {
    let outcome = try await run(program, arguments)
    try #require(
      outcome.status == 0, "\(program) \(arguments): \(outcome.errors)",
      sourceLocation: sourceLocation)
    return outcome.output.trimmingCharacters(in: .newlines)
  }

  /// Runs `image-create` with the lab's cloud, or with other variables.
  static func imageCreate(
    _ arguments: String..., environment: [String: String] = openrc
  ) async throws -> Outcome {
    try require()
    return try await run(program, arguments, environment: environment)
  }

  /// Runs `image-create --poll`, which stops itself at one of its fault points, and goes on once
  /// something was done: so nothing that is done in the middle of a run can come too late.
  ///
  /// - Parameters:
  ///   - point: where, as `IMAGE_CREATE_FAULT` names it: `40%`, `5+`.
  ///   - guarded: whether it has a guardian, which undoes it if it is killed.
  ///   - act: given the process's number.
  static func imageCreate(
    _ arguments: [String], stoppedAt point: String, guarded: Bool = false,
    act: @escaping @Sendable (Int32) async throws -> Void
  ) async throws -> Outcome {
    try require()
    let result = try await Subprocess.run(
      .path(FilePath(program)), arguments: Arguments(["--poll"] + arguments),
      environment: .inherit.updating(updates(openrc(fault: "stop@\(point)", guarded: guarded))),
      input: .none,
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20)
    ) { execution in
      let process = execution.processIdentifier.value
      try await wait("stop at \(point)") {
        state(of: process) == "T" || !runs(process)
      }
      #expect(runs(process), "the run ended before \(point)")
      try await going(process, after: { try await act(process) })
    }
    return Outcome(
      status: number(result.terminationStatus), output: result.standardOutput,
      errors: result.standardError)
  }

  /// Whether a process that was started here has not ended.
  static func runs(_ process: Int32) -> Bool { !["", "Z"].contains(state(of: process)) }

  /// A process's state as the kernel says it: `T` is stopped, `Z` has ended; empty is gone.
  static func state(of process: Int32) -> String {
    let line = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    return String(line.split(separator: ")").last?.split(separator: " ").first ?? "")
  }

  /// Lets a process stand still while something is done that would otherwise race it.
  static func holding<Value>(_ process: Int32, _ act: () async throws -> Value) async throws
    -> Value
  {
    try await must("kill", "-STOP", "\(process)")
    return try await going(process, after: act)
  }

  /// Lets a stopped process go on after something was done; one that was killed by it may be gone.
  private static func going<Value>(_ process: Int32, after act: () async throws -> Value)
    async throws -> Value
  {
    let value: Value
    do {
      value = try await act()
    } catch {
      _ = try await run("kill", ["-CONT", "\(process)"])
      throw error
    }
    _ = try await run("kill", ["-CONT", "\(process)"])
    return value
  }

  /// The lab's cloud, for a run that is stopped or killed at one of the program's fault points.
  ///
  /// - Parameter guarded: whether it has a guardian; without one it is as if that were killed as well.
  static func openrc(fault: String, guarded: Bool = false) -> [String: String] {
    openrc.merging(["IMAGE_CREATE_FAULT": fault]) { $1 }
      .merging(guarded ? [:] : ["IMAGE_CREATE_GUARDIAN": "off"]) { $1 }
  }

  /// Runs `scripts/lab` with a verb.
  static func lab(_ arguments: String...) async throws {
    let outcome = try await run(root + "/scripts/lab", arguments)
    try #require(outcome.status == 0, "scripts/lab \(arguments): \(outcome.errors)")
  }

  static func virsh(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation)
    async throws -> String
  {
    let outcome = try await run("virsh", ["-q", "-c", "qemu:///system"] + arguments)
    try #require(
      outcome.status == 0, "virsh \(arguments): \(outcome.errors)", sourceLocation: sourceLocation)
    return outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Waits until something is true, at most a minute.
  static func wait(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
    until condition: @Sendable () async throws -> Bool
  ) async throws {
    for _ in 0..<1200 {
      if try await condition() { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("waited a minute in vain: \(what)", sourceLocation: sourceLocation)
  }

  /// The names in a folder, sorted; empty where there is none.
  static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  private static func number(_ status: TerminationStatus) -> Int32 {
    switch status {
    case .exited(let code): code
    case .signaled(let signal): 128 + signal
    }
  }

  private static func updates(_ environment: [String: String]) -> [Environment.Key: String?] {
    var updates: [Environment.Key: String?] = [:]
    for key in ProcessInfo.processInfo.environment.keys where key.hasPrefix("OS_") {
      updates[Environment.Key(stringLiteral: key)] = .some(nil)
    }
    for (key, value) in environment { updates[Environment.Key(stringLiteral: key)] = value }
    return updates
  }

  private static func variables(in file: String) -> [String: String] {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return [:] }
    var found: [String: String] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let pair = line.replacing("export ", with: "").split(separator: "=", maxSplits: 1)
      guard pair.count == 2 else { continue }
      found[String(pair[0])] = pair[1].trimmingCharacters(in: ["'", "\""])
    }
    return found
  }
}
