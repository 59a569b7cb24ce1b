internal import Libvirt
internal import SystemPackage

/// A mounted file system.
struct FileSystem: Sendable, Equatable {
  /// What tells it from others.
  let id: FileSystemStatus.ID
  /// Whether files can share blocks there. Some of these kinds can be made without; only a try
  /// tells.
  let hasReflinks: Bool
  /// The bytes that may still be written.
  let freeBytes: UInt64

  /// The magic numbers of btrfs, xfs, bcachefs and ocfs2.
  private static let kindsWithReflinks: Set<UInt64> = [
    0x9123_683E, 0x5846_5342, 0xCA45_1A4E, 0x7461_636F,
  ]

  /// The one that holds a file or folder, or if it does not exist, the nearest folder above it that
  /// does; nil if that cannot be found out.
  static func holding(_ path: String) -> FileSystem? {
    var path = FilePath(path)
    repeat {
      if let status = FileSystemStatus(holding: path.string) {
        return FileSystem(
          id: status.id, hasReflinks: kindsWithReflinks.contains(status.kind),
          freeBytes: status.freeBytes)
      }
    } while path.removeLastComponent()
    return nil
  }
}
