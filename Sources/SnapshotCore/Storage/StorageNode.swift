internal import Foundation
internal import Libvirt

/// One layer of a disk: where its bytes are, how they are encoded, and the layer below it.
///
/// Everything that QEMU's programs open for us is described by a node and rendered here, down to the
/// base, so that no header decides what is opened.
struct StorageNode: Sendable, Equatable {
  /// Where the bytes of a layer are.
  enum Location: Sendable, Equatable {
    /// A regular file.
    case file(String)
    /// A block device.
    case blockDevice(String)
    /// What an NBD server offers.
    case nbd(NBDExport)
  }

  let location: Location
  let format: StorageFormat
  /// Whether a QEMU process may have the files open, and hold its lock, without writing to them.
  var isShared = false
  /// None or one: a value cannot hold itself.
  private let lower: [StorageNode]

  /// Describes one layer; without `below` it is the base, whatever its header says.
  init(_ location: Location, format: StorageFormat, below: StorageNode? = nil) {
    self.location = location
    self.format = format
    lower = below.map { [$0] } ?? []
  }

  /// Describes the layers of a chain, top first; nil if there are none.
  init?(chain: some BidirectionalCollection<ImageLayer>) {
    var node: StorageNode?
    for layer in chain.reversed() { node = StorageNode(layer, below: node) }
    guard let node else { return nil }
    self = node
  }

  /// Describes one layer of the facts.
  init(_ layer: ImageLayer, below: StorageNode? = nil) {
    self.init(
      layer.isBlockDevice ? .blockDevice(layer.path) : .file(layer.path), format: layer.format,
      below: below)
  }

  /// The layer below.
  var below: StorageNode? { lower.first }

  /// The files and block devices of all layers, top first.
  var paths: [String] {
    let layers = sequence(first: self) { $0.below }
    return layers.compactMap { layer in
      switch layer.location {
      case .file(let path), .blockDevice(let path): path
      case .nbd: nil
      }
    }
  }

  /// What to call it in messages.
  var label: String {
    switch location {
    case .file(let path), .blockDevice(let path): path
    case .nbd(let export): "\(export)"
    }
  }

  /// The node as QEMU's programs take it in place of a file name (`json:{…}`, `BlockdevOptions`).
  var qemuName: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Nothing here can fail to encode: it is text, a flag and null.
    let json = (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) }
    return "json:" + (json ?? "{}")
  }
}

extension StorageNode: Encodable {
  private enum Key: String, CodingKey {
    case driver, filename, server, type, path, export, file, backing
    case forceShare = "force-share"
  }

  func encode(to encoder: any Encoder) throws {
    var node = encoder.container(keyedBy: Key.self)
    try node.encode(format.rawValue, forKey: .driver)
    if isShared { try node.encode(true, forKey: .forceShare) }
    if let below {
      try node.encode(below, forKey: .backing)
    } else if format.hasBacking {
      // Without it the header's backing file would be opened.
      try node.encodeNil(forKey: .backing)
    }
    var file = node.nestedContainer(keyedBy: Key.self, forKey: .file)
    switch location {
    case .file(let path):
      try file.encode("file", forKey: .driver)
      try file.encode(path, forKey: .filename)
    case .blockDevice(let path):
      try file.encode("host_device", forKey: .driver)
      try file.encode(path, forKey: .filename)
    case .nbd(let export):
      try file.encode("nbd", forKey: .driver)
      var server = file.nestedContainer(keyedBy: Key.self, forKey: .server)
      try server.encode("unix", forKey: .type)
      try server.encode(export.socketPath, forKey: .path)
      try file.encode(export.name, forKey: .export)
    }
  }
}
