internal import Libvirt

/// A file, or an NBD export, that holds one disk at one point in time, to be read as it is.
struct DiskFile: Sendable, Equatable {
  /// Its path, or the export's URI.
  let path: String
  /// QEMU's name of its format.
  let format: String
  /// Whether a QEMU process has it open (and holds its lock) without writing to it.
  let isShared: Bool
  /// The export, where it is one.
  var export: NBDExport?
}
