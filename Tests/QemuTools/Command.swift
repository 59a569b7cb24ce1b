internal import Foundation

/// A program that was run to its end.
package struct Command: Sendable {
  package let status: Int32
  /// What it wrote to stdout and stderr.
  package let output: String

  package struct Failed: Error, CustomStringConvertible {
    package let description: String
  }

  /// Runs a program found in PATH and waits for its end, on a thread that may block.
  @concurrent @discardableResult
  package static func run(_ arguments: String...) async throws -> Command {
    try await run(arguments)
  }

  /// Runs a program found in PATH; throws unless it succeeds.
  @concurrent @discardableResult
  package static func run(_ arguments: [String]) async throws -> Command {
    let done = try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(with: Result { try runBlocking(arguments) })
      }
    }
    guard done.status == 0 else {
      let line = arguments.joined(separator: " ")
      throw Failed(description: "`\(line)` ended with \(done.status): \(done.output)")
    }
    return done
  }

  private static func runBlocking(_ arguments: [String]) throws -> Command {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let bytes = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Command(
      status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self))
  }
}
