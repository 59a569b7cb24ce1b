internal import Foundation
internal import Subprocess
internal import SystemPackage

/// A program of this host that is run to its end, with its complaints kept.
struct HostProgram: Sendable {
  let name: String
  /// Where it is, looked up once in the life of the process.
  private let path: Result<String, SnapshotError>

  /// - Parameter package: the Debian package that has it.
  init(name: String, package: String) {
    self.name = name
    let searchPath = ProcessInfo.processInfo.environment["PATH"] ?? ""
    path = Result { () throws(SnapshotError) in
      try ProgramPath(searchPath: searchPath).find(name, package: package)
    }
  }

  static let qemuImg = HostProgram(name: "qemu-img", package: "qemu-utils")
  static let qemuNbd = HostProgram(name: "qemu-nbd", package: "qemu-utils")
  static let cp = HostProgram(name: "cp", package: "coreutils")

  /// Runs it.
  ///
  /// - Parameters:
  ///   - path: the file it is about, for messages.
  ///   - line: told each line of its output as it comes.
  /// - Throws: `programFailed`, or `noSpace`, with a ``ProgramExit`` as its cause; `cancelled`.
  func run(_ arguments: [String], about path: String, line: (String) -> Void = { _ in })
    async throws(SnapshotError)
  {
    let executable = try executable
    try await check(arguments, about: path) {
      let result = try await Subprocess.run(
        executable, arguments: Arguments(arguments), environment: HostProgram.environment,
        platformOptions: options, input: .none, output: .sequence,
        error: .string(limit: 64 * 1024)
      ) { execution in
        for try await text in execution.standardOutput.strings() { line(text) }
      }
      return (result.terminationStatus, result.standardError)
    }
  }

  /// Runs it and gives its output.
  func output(_ arguments: [String], about path: String) async throws(SnapshotError) -> String {
    var lines: [String] = []
    try await run(arguments, about: path) { lines.append($0) }
    return lines.joined(separator: "\n")
  }

  /// Runs one that leaves a process behind, which goes on holding what it was given as stderr.
  ///
  /// - Parameter complaints: a new file for what it says there.
  func leaveBehind(_ arguments: [String], about path: String, complaints: String)
    async throws(SnapshotError)
  {
    let executable = try executable
    try await check(arguments, about: path) {
      let file = try FileDescriptor.open(
        FilePath(complaints), .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: .ownerReadWrite)
      let result = try await Subprocess.run(
        executable, arguments: Arguments(arguments), environment: HostProgram.environment,
        platformOptions: options, input: .none, output: .discarded,
        error: .fileDescriptor(file, closeAfterSpawningProcess: true))
      let said = FileManager.default.contents(atPath: complaints) ?? Data()
      return (result.terminationStatus, String(decoding: said.suffix(64 * 1024), as: UTF8.self))
    }
  }

  private var executable: Executable {
    get throws(SnapshotError) { .path(FilePath(try path.get())) }
  }

  /// What a child gets to know of ours. It parses what guests have written, and has no use for
  /// passwords. Its messages are read here and there, so they are in English.
  private static let environment: Environment = {
    let ours = ProcessInfo.processInfo.environment
    var variables: [Environment.Key: String] = [
      "PATH": ProgramPath.systemDirectories.joined(separator: ":"), "LC_ALL": "C",
    ]
    for name in ["HOME", "TMPDIR"] {
      if let value = ours[name] { variables[Environment.Key(stringLiteral: name)] = value }
    }
    return .custom(variables)
  }()

  private var options: PlatformOptions {
    var options = PlatformOptions()
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(2))]
    // A child of its own session is not hit by the terminal's Ctrl-C: it ends when we end it.
    options.createSession = true
    return options
  }

  private func check(
    _ arguments: [String], about path: String,
    _ body: () async throws -> (TerminationStatus, String)
  ) async throws(SnapshotError) {
    let byHand =
      "Try the command by hand: \(name) "
      + arguments.map(\.shellWord).joined(separator: " ")
    let status: TerminationStatus
    let complaint: String
    do {
      (status, complaint) = try await body()
    } catch {
      if Task.isCancelled { throw .cancelled }
      throw SnapshotError(
        .programFailed, "\(name) could not be run for \(path): \(error)", remedy: byHand,
        cause: error)
    }
    // A cancelled run does not throw; its child was signalled.
    if Task.isCancelled { throw .cancelled }
    guard status.isSuccess else {
      let exit = ProgramExit(
        status: "\(status)", complaint: ProgramExit.tidy(complaint, of: name))
      let verb = arguments.first.map { $0.hasPrefix("-") ? name : "\(name) \($0)" } ?? name
      throw SnapshotError(
        exit.isOutOfSpace ? .noSpace : .programFailed, "`\(verb)` of \(path) failed: \(exit)",
        remedy: exit.isOutOfSpace
          ? "Free some space there, or name another folder with --spool-dir" : byHand,
        cause: exit)
    }
  }
}

/// How a program ended, with its own complaint.
struct ProgramExit: Error, CustomStringConvertible {
  let status: String
  let complaint: String

  var description: String { complaint.isEmpty ? status : complaint }

  /// Programs have one exit status for everything; the text is strerror's under LC_ALL=C.
  var isOutOfSpace: Bool { complaint.contains("No space left on device") }

  /// The last line that says something, without the program's name, at most 300 characters.
  static func tidy(_ text: String, of program: String) -> String {
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    let last = lines.last { !$0.allSatisfy(\.isWhitespace) } ?? ""
    let prefix = "\(program): "
    let text = last.hasPrefix(prefix) ? last.dropFirst(prefix.count) : last[...]
    // What QEMU was told to open is longer than what is wrong with it.
    return String(text.replacing(/'json:\{.*\}'/) { _ in "the disk" }.prefix(300))
  }
}
