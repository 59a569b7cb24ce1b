internal import Foundation
internal import Glibc
internal import Libvirt
package import Logging
internal import Subprocess
internal import SystemPackage

/// A process of our own that undoes a run if the run is killed, with nobody's help.
///
/// It waits in a session of its own for the end of a pipe that only the run holds open. A run that
/// ends in an ordinary way writes a line first, and the guardian leaves. If the pipe ends without
/// that line, the run is dead, and the guardian turns into the program that recovers it. A shell
/// waits, because it needs 1 MB of memory and this program 30.
///
/// Recovery needs what the run was given in its environment, such as the password of the image
/// service. That is handed over in a file in memory, so that no process shows it in
/// `/proc/PID/environ`.
package final class Guardian: Sendable {
  /// What is run if the run is killed.
  package struct Recovery: Sendable {
    /// The program's path and its arguments.
    let command: [String]
    /// The variables that it reads from its standard input, as JSON.
    let environment: [String: String]

    /// Describes the recovery of a run.
    package init(command: [String], environment: [String: String]) {
      self.command = command
      self.environment = environment
    }
  }

  /// The run tells its guardian to leave by a line here, and dies by closing it.
  private let pipe: FileDescriptor
  private let end: Task<TerminationStatus, any Error>

  /// How long a guardian may take to leave.
  private static let patience = Duration.seconds(5)

  /// Standard input is the pipe, standard output the file with the variables. Signals meant for the
  /// run, or for everything at a host's shutdown, must not end the guardian first.
  private static let script = #"trap '' HUP INT TERM; read -r _ || exec "$@" <&1 >&2"#

  private init(pipe: FileDescriptor, end: Task<TerminationStatus, any Error>) {
    self.pipe = pipe
    self.end = end
  }

  /// Runs a body under a guardian, which is gone when this returns. Without one the body runs just
  /// the same, after a warning.
  ///
  /// - Parameter body: told whether there is one.
  package static func watching<Value>(
    _ recovery: Recovery, log: Logger, _ body: (_ isGuarded: Bool) async throws -> Value
  ) async throws -> Value {
    guard !FaultPoints.hasNoGuardian else { return try await body(false) }
    var guardian: Guardian?
    do {
      guardian = try await start(recovery)
    } catch {
      log.warning(
        """
        no guardian could be started (\(error)): if this run is killed, undo it with \
        `image-create --recover`
        """)
    }
    let result: Result<Value, any Error>
    do { result = .success(try await body(guardian != nil)) } catch { result = .failure(error) }
    await guardian?.dismiss()
    return try result.get()
  }

  /// Starts one; it waits when this returns.
  static func start(_ recovery: Recovery) async throws -> Guardian {
    let variables = try handOver(recovery.environment)
    let (readEnd, writeEnd) = try FileDescriptor.pipe(options: .closeOnExec)
    // Only where the program's libraries are has to be known before it reads its variables.
    let libraries = recovery.environment.filter { $0.key == "LD_LIBRARY_PATH" }
    var options = PlatformOptions()
    // Not hit by the terminal's Ctrl-C, nor by its end.
    options.createSession = true
    let (started, announce) = AsyncStream<Void>.makeStream()
    let end = Task.detached { [options] in
      defer { announce.finish() }
      return try await Subprocess.run(
        .path("/bin/sh"),
        arguments: Arguments(["-c", script, "image-create-guardian"] + recovery.command),
        environment: .custom(
          Dictionary(
            uniqueKeysWithValues: libraries.map {
              (Environment.Key(stringLiteral: $0.key), $0.value)
            })),
        platformOptions: options,
        input: .fileDescriptor(readEnd, closeAfterSpawningProcess: true),
        output: .fileDescriptor(variables, closeAfterSpawningProcess: true),
        error: .currentStandardError
      ) { _ in announce.yield() }.terminationStatus
    }
    for await _ in started { return Guardian(pipe: writeEnd, end: end) }
    try? writeEnd.close()
    throw GuardianEnded(status: "\(try await end.value)")
  }

  /// Tells it to leave, and waits until it has.
  func dismiss() async {
    // One that was killed does not listen any more.
    _ = try? pipe.writeAll("\n".utf8)
    try? pipe.close()
    let end = end
    try? await Deadline.run(Guardian.patience, "the guardian's end") { _ = try await end.value }
  }

  private static func handOver(_ environment: [String: String]) throws -> FileDescriptor {
    guard let descriptor = HandedOver.file() else { throw Errno(rawValue: errno) }
    let file = FileDescriptor(rawValue: descriptor)
    do {
      try file.writeAll(JSONEncoder().encode(environment))
      try file.seek(offset: 0, from: .start)
      return file
    } catch {
      try? file.close()
      throw error
    }
  }
}

/// A guardian that ended before it had begun to wait.
private struct GuardianEnded: Error, CustomStringConvertible {
  let status: String
  var description: String { "it ended at once: \(status)" }
}
