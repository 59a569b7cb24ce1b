internal import Foundation

/// Runs `qemu-img`. What it opens is always a ``StorageNode``: nothing is ever probed or followed.
struct QemuImg: Sendable {
  private let program = HostProgram.qemuImg

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

  /// Describes the layer of one node without opening what lies below it.
  ///
  /// - Throws: `unreadableDisk`, `programFailed`.
  func info(_ node: StorageNode) async throws(SnapshotError) -> Info {
    var layer = StorageNode(node.location, format: node.format)
    layer.isShared = true
    let output: String
    do {
      output = try await program.output(
        ["info", "--output=json", layer.qemuName], about: layer.label)
    } catch let error where error.code == .programFailed && error.cause is ProgramExit {
      throw SnapshotError(
        .unreadableDisk,
        "\(layer.label) could not be read as \(layer.format): \(error.cause ?? error)",
        remedy: "Check that the file is there, that you may read it, and that the domain XML "
          + "states its format", cause: error)
    }
    do {
      return try JSONDecoder().decode(InfoAnswer.self, from: Data(output.utf8)).info(layer)
    } catch {
      throw SnapshotError(
        .programFailed, "the answer of `qemu-img info` of \(layer.label) was not understood",
        remedy: "Check `qemu-img --version`: 5.0 or later is needed", cause: error)
    }
  }

  /// The bytes that a qcow2 image of this disk's data takes: what a flat sparse copy needs.
  func dataSize(_ node: StorageNode) async throws(SnapshotError) -> UInt64 {
    var node = node
    node.isShared = true
    let output = try await program.output(
      ["measure", "-O", "qcow2", "--output=json", node.qemuName], about: node.label)
    let answer = try? JSONDecoder().decode([String: UInt64].self, from: Data(output.utf8))
    guard let required = answer?["required"] else {
      throw SnapshotError(
        .programFailed, "the answer of `qemu-img measure` of \(node.label) was not understood",
        remedy: "Check `qemu-img --version`: 5.0 or later is needed")
    }
    return required
  }

  /// Creates an empty qcow2 file of a size, over a backing file, which is not opened, or over nothing.
  func create(_ path: String, size: UInt64, over backing: ImageLayer?, clusterSize: UInt64?)
    async throws(SnapshotError)
  {
    var options = "compat=1.1"
    if let clusterSize { options += ",cluster_size=\(clusterSize)" }
    var arguments = ["create", "-q", "-f", "qcow2", "-o", options]
    if let backing { arguments += ["-u", "-b", backing.path, "-F", backing.format.rawValue] }
    try await program.run(arguments + [path, "\(size)"], about: path)
  }

  /// How the clusters of a qcow2 are compressed.
  enum Compression {
    case zstd
    /// The only way before QEMU 5.1, which has no option for it.
    case zlib
  }

  /// The better compression that this `qemu-img` has: zstd is smaller and faster to make.
  ///
  /// It is a choice of whoever built it, so it is tried: on a new file, which stays.
  func compression(probe: String) async throws(SnapshotError) -> Compression {
    do {
      try await program.run(
        ["create", "-q", "-f", "qcow2", "-o", "compression_type=zstd", probe, "1M"], about: probe)
      return .zstd
    } catch let error where error.code == .programFailed && error.cause is ProgramExit {
      return .zlib
    }
  }

  /// Writes a flat image of a disk: no backing file, no external data file.
  ///
  /// - Parameters:
  ///   - source: what to read.
  ///   - compression: that of qcow2's clusters; nil for none.
  ///   - progress: told the fraction done, 0 to 1.
  func convert(
    _ source: StorageNode, to path: String, format: ImageFormat, compression: Compression? = nil,
    progress: (Double) -> Void
  ) async throws(SnapshotError) {
    var arguments = ["convert", "-p", "-O", format.driver.rawValue]
    var options = format.creationOptions.map { [$0] } ?? []
    if compression != nil { arguments.append("-c") }
    if compression == .zstd { options.append("compression_type=zstd") }
    if !options.isEmpty { arguments += ["-o", options.joined(separator: ",")] }
    try await program.run(arguments + [source.qemuName, path], about: path) { line in
      // "    (12.34/100%)"
      guard let open = line.firstIndex(of: "("), let slash = line[open...].firstIndex(of: "/"),
        let percent = Double(line[line.index(after: open)..<slash])
      else { return }
      progress(percent / 100)
    }
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
  let virtualSize: UInt64
  let actualSize: UInt64?
  let clusterSize: UInt64?
  let backing: String?
  let fullBacking: String?
  let backingFormat: String?
  let specific: Specific?

  private enum CodingKeys: String, CodingKey {
    case virtualSize = "virtual-size"
    case actualSize = "actual-size"
    case clusterSize = "cluster-size"
    case backing = "backing-filename"
    case fullBacking = "full-backing-filename"
    case backingFormat = "backing-filename-format"
    case specific = "format-specific"
  }

  func info(_ node: StorageNode) -> QemuImg.Info {
    var isBlockDevice = false
    if case .blockDevice = node.location { isBlockDevice = true }
    let layer = ImageLayer(
      path: node.label, format: node.format, virtualSize: virtualSize,
      allocatedSize: actualSize ?? 0, clusterSize: clusterSize,
      dataFile: specific?.data?.dataFile, isBlockDevice: isBlockDevice)
    let below = fullBacking ?? backing
    return .init(layer: layer, backing: below.map { .init(path: $0, format: backingFormat) })
  }
}
