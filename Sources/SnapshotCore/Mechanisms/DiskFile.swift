internal import Libvirt

/// One disk at one point in time, to be read as it is: files of this host, or an NBD export.
struct DiskFile: Sendable, Equatable {
  /// What is to be opened.
  let node: StorageNode
  /// Whether it belongs to this run alone, so that the server can go on while it is read.
  let isOwn: Bool

  init(_ node: StorageNode, isOwn: Bool = false) {
    self.node = node
    self.isOwn = isOwn
  }

  /// The export that offers it already; nil if a program of this run must offer it first.
  var export: NBDExport? {
    if case .nbd(let export) = node.location, node.format == .raw { export } else { nil }
  }

  /// Whether a program of this run must offer it before it can be streamed.
  var needsServer: Bool { export == nil }
}
