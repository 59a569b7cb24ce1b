internal import Foundation
internal import Logging
internal import SystemPackage

/// The log of a run: warnings on stderr unless `--quiet`, everything with `--verbose` or in
/// `--log-file`.
struct RunLog: LogHandler {
  var logLevel = Logger.Level.debug
  var metadata = Logger.Metadata()
  /// What stderr gets at least.
  let threshold: Logger.Level
  let file: FileHandle?

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let line = PropertyTable.printable("\(event.level): \(event.message)")
    if event.level >= threshold { Terminal.error("image-create: \(line)") }
    if event.level >= .info, let file {
      let time = Date.now.formatted(.iso8601)
      try? file.write(contentsOf: Data("\(time) \(line)\n".utf8))
    }
  }

  /// - Throws: a `SnapshotError`-like report when the file can't be opened.
  static func logger(verbose: Bool, quiet: Bool = false, file path: String?) throws -> Logger {
    var file: FileHandle?
    if let path {
      do {
        let descriptor = try FileDescriptor.open(
          FilePath(path), .writeOnly, options: [.create, .append], permissions: .ownerReadWrite)
        file = FileHandle(fileDescriptor: descriptor.rawValue, closeOnDealloc: true)
      } catch {
        throw OptionError(option: "--log-file", value: path, problem: "\(error)")
      }
    }
    let handler = RunLog(threshold: verbose ? .info : quiet ? .error : .warning, file: file)
    return Logger(label: "image-create") { _ in handler }
  }
}

/// A path given on the command line that can't be used.
struct OptionError: Error, CustomStringConvertible {
  let option: String
  let value: String
  let problem: String
  var description: String { "\(option) \(value) can't be opened: \(problem)" }
}
