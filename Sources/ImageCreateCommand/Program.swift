internal import ArgumentParser
internal import Foundation
internal import Libvirt
internal import Logging
internal import SnapshotCore

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
        await Terminal.flush()
        return ExitStatus.usage.rawValue
      }
      Terminal.output(text + "\n")
      await Terminal.flush()
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
    // A job in the background may write to its terminal: otherwise one line could stop the process
    // while a guest is frozen.
    signal(SIGTTOU, SIG_IGN)
    // Whatever is made is private, and no core file has a password.
    umask(0o077)
    CoreFiles.forbid()
    let log: Logger
    do {
      log = try RunLog.logger(
        verbose: options.verbose, quiet: options.quiet, file: options.logFile)
    } catch {
      Terminal.error(ErrorReport.line(for: error))
      await Terminal.flush()
      return ExitStatus(error).rawValue
    }
    let session = Session(options: options, environment: environment, log: log)
    let work = Task { try await session.run() }
    let stop = SignalStop(session: session) { work.cancel() }
    stop.watch()
    let clock = Task { try await TimeOut.watch(options.timeout) { work.cancel() } }
    let result = await work.result
    clock.cancel()
    let status = await report(result, session: session, stop: stop, options: options, clock: clock)
    return await stop.leave(with: status)
  }

  /// - Returns: the exit status.
  private static func report(
    _ result: Result<ExitStatus, any Error>, session: Session, stop: SignalStop,
    options: ImageCreateOptions, clock: Task<Void, any Error>
  ) async -> Int32 {
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
      // Nobody may try again later while something is left of this run.
      return (session.pendingCommands.isEmpty ? ExitStatus(error) : .failed).rawValue
    }
  }
}
