internal import Foundation
internal import Logging
internal import SystemPackage

/// The log of a run: warnings on stderr unless `--quiet`, everything with `--verbose` or in
/// `--log-file`.
///
/// Logging never blocks: see ``OutputQueue``.
struct RunLog: LogHandler {
  var logLevel = Logger.Level.debug
  var metadata = Logger.Metadata()
  /// What stderr gets at least.
  let threshold: Logger.Level
  let file: LogFile?

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let details = metadata.merging(event.metadata ?? [:]) { _, new in new }
      .sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    let line = PropertyTable.printable("\(event.level): \(event.message)\(details)")
    if event.level >= threshold { Terminal.error("image-create: \(line)", .message) }
    if event.level >= .info { file?.write(line) }
  }

  /// - Throws: a `SnapshotError`-like report when the file can't be opened.
  static func logger(verbose: Bool, quiet: Bool = false, file path: String?) throws -> Logger {
    var file: LogFile?
    if let path {
      do {
        file = try LogFile(path)
      } catch {
        throw OptionError(option: "--log-file", value: path, problem: "\(error)")
      }
    }
    let handler = RunLog(threshold: verbose ? .info : quiet ? .error : .warning, file: file)
    return Logger(label: "image-create") { _ in handler }
  }
}

/// The file of `--log-file`, written to by a thread of its own: one on a file system that hangs does
/// not hold back what stderr says.
final class LogFile: Sendable {
  // Open to the end of the process: the queue may still write to it.
  private let file: FileDescriptor
  private let queue = OutputQueue { "\(LogFile.time) warning: \($0) messages are missing here" }

  /// Opens the file, which is created private to us.
  init(_ path: String) throws {
    file = try FileDescriptor.open(
      FilePath(path), .writeOnly, options: [.create, .append, .closeOnExec],
      permissions: .ownerReadWrite)
    Terminal.add(queue)
  }

  func write(_ line: String) { queue.write("\(LogFile.time) \(line)\n", .message, to: file) }

  private static var time: String { Date.now.formatted(.iso8601) }
}

/// A path given on the command line that can't be used.
struct OptionError: Error, CustomStringConvertible {
  let option: String
  let value: String
  let problem: String
  var description: String { "\(option) \(value) can't be opened: \(problem)" }
}
