internal import ArgumentParser
internal import Foundation
internal import Libvirt
internal import Logging
internal import SnapshotCore
internal import Synchronization
internal import UnixSignals

/// The whole program but for the process: parses, runs, reports, and gives the exit status.
public enum Program {
  /// Runs once.
  ///
  /// - Parameters:
  ///   - arguments: the command line without the program's name.
  ///   - environment: the process's variables.
  /// - Returns: the exit status, see `docs/exit-status.md`.
  public static func run(arguments: [String], environment: [String: String]) async -> Int32 {
    let options: ImageCreateOptions
    do {
      var parsed = try ImageCreate.parseAsRoot(arguments)
      guard let command = parsed as? ImageCreate else {
        // Help is a command of its own, whose run throws the text.
        try parsed.run()
        return 0
      }
      options = command.options
    } catch {
      let text = ImageCreate.fullMessage(for: error)
      guard ImageCreate.exitCode(for: error) == .success else {
        Terminal.error(text)
        return ExitStatus.usage.rawValue
      }
      Terminal.output(text + "\n")
      return 0
    }
    return await run(options, environment: environment)
  }

  private static func run(_ options: ImageCreateOptions, environment: [String: String]) async
    -> Int32
  {
    // A reader that goes away (`image-create --poll … | head`) must be an error of the write, not
    // the end of the process. Not trapped: a trapped SIGPIPE makes libdispatch's manager thread
    // send it to itself for ever, and every timer stands still.
    signal(SIGPIPE, SIG_IGN)
    // Whatever is made is private, and no core file has a password.
    umask(0o077)
    CoreFiles.forbid()
    let log: Logger
    do {
      log = try RunLog.logger(
        verbose: options.verbose, quiet: options.quiet, file: options.logFile)
    } catch {
      Terminal.error(ErrorReport.line(for: error))
      return ExitStatus(error).rawValue
    }
    let session = Session(options: options, environment: environment, log: log)
    let work = Task { try await session.run() }
    let stop = SignalStop(session: session) { work.cancel() }
    let watch = Task { await stop.watch() }
    let clock = Task { try await TimeOut.watch(options.timeout) { work.cancel() } }
    let result = await work.result
    watch.cancel()
    clock.cancel()
    switch result {
    case .success(let status): return status.rawValue
    case .failure(let error):
      if let signal = stop.signal {
        let isClean = session.pendingCommands.isEmpty
        Terminal.error(
          "image-create: stopped by \(signal.name); "
            + (isClean ? "everything was undone" : "what was not undone is listed above"))
        return 128 + signal.number
      }
      if let limit = options.timeout, (try? await clock.value) != nil {
        Terminal.error(ErrorReport.line(for: TimeOut.error(limit, session: session)))
        return ExitStatus.failed.rawValue
      }
      Terminal.error(ErrorReport.line(for: error))
      return ExitStatus(error).rawValue
    }
  }
}

/// `--timeout`: bounds the whole run, the undoing that follows not counted.
enum TimeOut {
  /// Returns when the time is over and the run was told to stop.
  ///
  /// - Throws: `CancellationError` where the run ended before, or has no limit.
  static func watch(_ limit: TimeLimit?, stop: () -> Void) async throws {
    guard let limit else { throw CancellationError() }
    try await Task.sleep(for: limit.duration)
    stop()
  }

  static func error(_ limit: TimeLimit, session: Session) -> SnapshotError {
    SnapshotError(
      .timedOut,
      "the run took longer than \(limit.text) (--timeout); "
        + (session.pendingCommands.isEmpty
          ? "everything was undone" : "what was not undone is listed above"),
      remedy: "Look with --poll how far it gets, and give it more time")
  }
}

/// The first SIGINT, SIGTERM or SIGHUP stops the run; a second one ends the process at once.
final class SignalStop: Sendable {
  /// A signal by name and number.
  struct Signal: Sendable {
    let name: String
    let number: Int32
  }

  private let first = Mutex<Signal?>(nil)
  private let session: Session
  private let cancel: @Sendable () -> Void

  init(session: Session, cancel: @escaping @Sendable () -> Void) {
    self.session = session
    self.cancel = cancel
  }

  var signal: Signal? { first.withLock { $0 } }

  func watch() async {
    for await caught in await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup) {
      let signal: Signal
      switch caught {
      case .sigint: signal = Signal(name: "SIGINT", number: SIGINT)
      case .sigterm: signal = Signal(name: "SIGTERM", number: SIGTERM)
      case .sighup: signal = Signal(name: "SIGHUP", number: SIGHUP)
      default: continue
      }
      let isFirst = first.withLock { first in
        defer { first = first ?? signal }
        return first == nil
      }
      guard isFirst else {
        let left = session.pendingCommands
        for line in left { Terminal.error("left over: \(line)") }
        if !left.isEmpty { Terminal.error("image-create: or let `image-create --recover` do it") }
        exit(128 + signal.number)
      }
      Terminal.error("image-create: \(signal.name): undoing (once more to leave at once)")
      cancel()
    }
  }
}
