import Foundation
import Subprocess
import SystemPackage
import Testing

/// The program, with nobody who takes what it writes.
enum SilentReader {
  /// What holds the output back, as `scripts/lab.d/silent_reader.py` names it.
  enum Kind: String, Sendable, CaseIterable {
    /// A terminal stopped by Ctrl-S.
    case terminal
    /// A pipe that is full.
    case pipe
    /// The log file is on a file system that hangs.
    case log
    /// Nothing: to compare with.
    case file
  }

  /// A run under way.
  struct Run: Sendable {
    let process: Int32
    let folder: String

    /// Lets everything be read from now on.
    func read() throws { try Data().write(to: URL(filePath: folder + "/read")) }

    func signal(_ name: String) async throws {
      try await Lab.must("kill", "-\(name)", "\(process)")
    }
  }

  /// Runs the program until it stops itself at a fault point, and gives it to `act`, which lets it go
  /// on.
  ///
  /// - Returns: how it ended, and all that was read.
  static func run(
    _ kind: Kind, in folder: String, _ arguments: [String], stoppedAt point: String,
    act: @escaping @Sendable (Run) async throws -> Void
  ) async throws -> Lab.Outcome {
    try Lab.require()
    let command =
      [Lab.root + "/scripts/lab.d/silent_reader.py", kind.rawValue, folder, Lab.program]
      + arguments + (kind == .log ? ["--log-file", folder + "/log"] : [])
    let result = try await Subprocess.run(
      .name("python3"), arguments: Arguments(command),
      environment: .inherit.updating(["IMAGE_CREATE_FAULT": "stop@\(point)"]), input: .none,
      output: .string(limit: 1 << 16), error: .string(limit: 1 << 16)
    ) { execution in
      try await Lab.wait("the program's number") { number(in: folder) != nil }
      let process = try #require(number(in: folder))
      do {
        try await Lab.wait("stop at \(point)") {
          Lab.state(of: process) == "T" || !Lab.runs(process)
        }
        try #require(Lab.runs(process), "the run ended before \(point)")
        try await act(Run(process: process, folder: folder))
      } catch {
        _ = try await Lab.run("kill", ["-KILL", "\(process)"])
        throw error
      }
    }
    let output = (try? String(contentsOfFile: folder + "/output", encoding: .utf8)) ?? ""
    let status: Int32 =
      if case .exited(let code) = result.terminationStatus { code } else { -1 }
    return Lab.Outcome(status: status, output: output, errors: result.standardError)
  }

  private static func number(in folder: String) -> Int32? {
    (try? String(contentsOfFile: folder + "/pid", encoding: .utf8)).flatMap { Int32($0) }
  }
}
