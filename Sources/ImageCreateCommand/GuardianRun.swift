internal import ArgumentParser
internal import Foundation
internal import Libvirt
internal import Logging
internal import SnapshotCore

/// What a guardian becomes when its run was killed: `image-create --guardian JOURNAL [LOG-FILE]`,
/// which undoes that run. Nobody types this; the run's variables come on standard input.
package enum GuardianRun {
  private static let flag = "--guardian"

  /// What the run's guardian is to do.
  static func recovery(
    of journal: String, options: ImageCreateOptions, environment: [String: String]
  ) -> Guardian.Recovery {
    let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return Guardian.Recovery(
      command: [program ?? "image-create", flag, journal] + (options.logFile.map { [$0] } ?? []),
      // A fault was meant for the run.
      environment: environment.filter { !$0.key.hasPrefix("IMAGE_CREATE_") })
  }

  /// Undoes the run that was killed.
  ///
  /// - Returns: the exit status, or nil if this is not how a guardian was called.
  package static func run(_ arguments: [String]) async -> Int32? {
    guard arguments.first == flag, arguments.count > 1 else { return nil }
    signal(SIGPIPE, SIG_IGN)
    umask(0o077)
    CoreFiles.forbid()
    // Whoever reads may have gone with the run, or may never read.
    defer { Terminal.flushWhatIsRead() }
    do {
      return try await undo(arguments[1], log: arguments.dropFirst(2).first) ? 0 : 1
    } catch {
      Terminal.error(ErrorReport.line(for: error))
      return 1
    }
  }

  /// The run's log file is worth less than its guest: one that cannot be opened, or not at once because
  /// its file system hangs or nobody reads it, is done without.
  private static func logger(_ path: String?) async throws -> Logger {
    struct Unopened: Error {}
    let opened = try? await BlockingCall.run(
      within: .seconds(1), orThrow: { Unopened() as any Error }
    ) { () throws(any Error) in try RunLog.logger(verbose: false, file: path) }
    if let opened { return opened }
    return try RunLog.logger(verbose: false, file: nil)
  }

  /// - Returns: whether nothing is left.
  private static func undo(_ journal: String, log path: String?) async throws -> Bool {
    let input = try FileHandle.standardInput.readToEnd() ?? Data()
    let environment = try JSONDecoder().decode([String: String].self, from: input)
    HandedOver.set(environment)
    let recoverer = Recoverer(
      options: try ImageCreateOptions.parse(["--recover"]), environment: environment,
      log: try await logger(path))
    let locks = try Places(environment: environment).locks { _ in }
    return await recoverer.recover(journal: journal, with: locks)
  }
}
