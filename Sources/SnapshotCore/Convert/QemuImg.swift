internal import Foundation
internal import Subprocess

/// Runs `qemu-img`. Every format is given, none is ever probed.
struct QemuImg: Sendable {
  /// What `qemu-img info` said of one file.
  struct Info: Sendable {
    let layer: ImageLayer
    let backing: Backing?
  }

  /// The backing file that a header names.
  struct Backing: Sendable {
    let path: String
    let format: String?
  }

  /// Describes one file without opening what lies below it.
  ///
  /// - Throws: `unreadableDisk`, `qemuImgFailed`.
  func info(_ path: String, format: String) async throws(SnapshotError) -> Info {
    let output: String
    do {
      output = try await collect(
        ["info", "--force-share", "-f", format, "--output=json", path], about: path)
    } catch let error where error.code == .qemuImgFailed && error.cause is QemuImgExit {
      throw SnapshotError(
        .unreadableDisk, "\(path) could not be read as \(format): \(error.cause ?? error)",
        remedy: "Check that the file is there, that you may read it, and that the domain XML "
          + "states its format", cause: error)
    }
    do {
      return try JSONDecoder().decode(InfoAnswer.self, from: Data(output.utf8)).info(path: path)
    } catch {
      throw SnapshotError(
        .qemuImgFailed, "the answer of `qemu-img info \(path)` was not understood",
        remedy: "Check `qemu-img --version`: 5.0 or later is needed", cause: error)
    }
  }

  /// The bytes that a qcow2 image of this disk's data takes: what a flat sparse copy needs.
  func dataSize(_ path: String, format: String) async throws(SnapshotError) -> UInt64 {
    let output = try await collect(
      ["measure", "--force-share", "-f", format, "-O", "qcow2", "--output=json", path], about: path)
    let answer = try? JSONDecoder().decode([String: UInt64].self, from: Data(output.utf8))
    guard let required = answer?["required"] else {
      throw SnapshotError(
        .qemuImgFailed, "the answer of `qemu-img measure \(path)` was not understood",
        remedy: "Check `qemu-img --version`: 5.0 or later is needed")
    }
    return required
  }

  /// Makes an empty qcow2 file of a size, over a backing file or over nothing.
  func create(_ path: String, size: UInt64, over backing: ImageLayer?, clusterSize: UInt64?)
    async throws(SnapshotError)
  {
    var options = "compat=1.1"
    if let clusterSize { options += ",cluster_size=\(clusterSize)" }
    var arguments = ["create", "-q", "-f", "qcow2", "-o", options]
    if let backing { arguments += ["-b", backing.path, "-F", backing.format] }
    _ = try await collect(arguments + [path, "\(size)"], about: path)
  }

  /// Writes a flat image of a disk: no backing file, no external data file.
  ///
  /// - Parameters:
  ///   - source: what to read, its QEMU format, and whether another process holds it open.
  ///   - progress: told the fraction done, 0 to 1.
  func convert(
    _ source: DiskFile, to path: String, format: ImageFormat,
    progress: @Sendable (Double) -> Void
  ) async throws(SnapshotError) {
    var arguments = ["convert", "-p", "-f", source.format, "-O", format.driver]
    if source.isShared { arguments.append("--force-share") }
    if let options = format.creationOptions { arguments += ["-o", options] }
    try await run(arguments + [source.path, path], about: path) { line in
      // "    (12.34/100%)"
      guard let open = line.firstIndex(of: "("), let slash = line[open...].firstIndex(of: "/"),
        let percent = Double(line[line.index(after: open)..<slash])
      else { return }
      progress(percent / 100)
    }
  }

  private func collect(_ arguments: [String], about path: String) async throws(SnapshotError)
    -> String
  {
    var lines: [String] = []
    try await run(arguments, about: path) { lines.append($0) }
    return lines.joined(separator: "\n")
  }

  private func run(_ arguments: [String], about path: String, line: (String) -> Void)
    async throws(SnapshotError)
  {
    var options = PlatformOptions()
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(2))]
    // A child of its own session is not hit by the terminal's Ctrl-C: it ends when we end it.
    options.createSession = true
    let status: TerminationStatus
    let complaint: String
    do {
      let result = try await Subprocess.run(
        .name("qemu-img"), arguments: Arguments(arguments),
        environment: .inherit.updating(["LC_ALL": "C"]), platformOptions: options,
        input: .none, output: .sequence, error: .string(limit: 64 * 1024)
      ) { execution in
        for try await text in execution.standardOutput.strings() { line(text) }
      }
      status = result.terminationStatus
      complaint = result.standardError
    } catch let error as SubprocessError where error.code == .executableNotFound {
      throw SnapshotError(
        .qemuImgFailed, "the program qemu-img was not found",
        remedy: "Install it: `apt-get install qemu-utils`", cause: error)
    } catch {
      if Task.isCancelled { throw .cancelled }
      throw SnapshotError(
        .qemuImgFailed, "qemu-img could not be run for \(path): \(error)",
        remedy: "Try the command by hand: qemu-img \(arguments.joined(separator: " "))",
        cause: error)
    }
    // A cancelled run does not throw; its child was signalled.
    if Task.isCancelled { throw .cancelled }
    guard status.isSuccess else {
      let exit = QemuImgExit(status: "\(status)", complaint: QemuImgExit.tidy(complaint))
      throw SnapshotError(
        exit.isOutOfSpace ? .noSpace : .qemuImgFailed,
        "`qemu-img \(arguments[0])` of \(path) failed: \(exit)",
        remedy: exit.isOutOfSpace
          ? "Free some space there, or name another folder with --spool-dir"
          : "Try the command by hand: qemu-img \(arguments.joined(separator: " "))", cause: exit)
    }
  }
}

/// How a `qemu-img` ended, with its own complaint.
struct QemuImgExit: Error, CustomStringConvertible {
  let status: String
  let complaint: String

  var description: String { complaint.isEmpty ? status : complaint }

  /// `qemu-img` has one exit status for everything; the text is strerror's under LC_ALL=C.
  var isOutOfSpace: Bool { complaint.contains("No space left on device") }

  /// The last line that says something, without the program's name, at most 300 characters.
  static func tidy(_ text: String) -> String {
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    let last = lines.last { !$0.allSatisfy(\.isWhitespace) } ?? ""
    let prefix = "qemu-img: "
    return String((last.hasPrefix(prefix) ? last.dropFirst(prefix.count) : last[...]).prefix(300))
  }
}

/// The part of `qemu-img info --output=json` that is used here.
private struct InfoAnswer: Decodable {
  struct Specific: Decodable {
    struct Fields: Decodable {
      let dataFile: String?
      private enum CodingKeys: String, CodingKey { case dataFile = "data-file" }
    }
    let data: Fields?
  }
  let format: String
  let virtualSize: UInt64
  let actualSize: UInt64?
  let clusterSize: UInt64?
  let backing: String?
  let fullBacking: String?
  let backingFormat: String?
  let specific: Specific?

  private enum CodingKeys: String, CodingKey {
    case format
    case virtualSize = "virtual-size"
    case actualSize = "actual-size"
    case clusterSize = "cluster-size"
    case backing = "backing-filename"
    case fullBacking = "full-backing-filename"
    case backingFormat = "backing-filename-format"
    case specific = "format-specific"
  }

  func info(path: String) -> QemuImg.Info {
    let layer = ImageLayer(
      path: path, format: format, virtualSize: virtualSize, allocatedSize: actualSize ?? 0,
      clusterSize: clusterSize, dataFile: specific?.data?.dataFile)
    let below = fullBacking ?? backing
    return .init(layer: layer, backing: below.map { .init(path: $0, format: backingFormat) })
  }
}
