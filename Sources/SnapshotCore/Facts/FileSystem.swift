internal import Libvirt
internal import SystemPackage

/// A mounted file system.
struct FileSystem: Sendable, Equatable {
  /// What tells it from others.
  let id: FileSystemStatus.ID
  /// Whether files can share blocks there. Some of these kinds can be made without; only a try
  /// tells.
  let hasReflinks: Bool
  /// What to call it if other hosts can have it mounted, too; nil if they cannot.
  let networkName: String?
  /// The bytes that may still be written.
  let freeBytes: UInt64

  /// The magic numbers of btrfs, xfs, bcachefs and ocfs2.
  private static let kindsWithReflinks: Set<UInt64> = [
    0x9123_683E, 0x5846_5342, 0xCA45_1A4E, 0x7461_636F,
  ]

  /// The magic numbers of file systems that several hosts share, with their names (statfs(2)).
  private static let networkNames: [UInt64: String] = [
    0x5346_414F: "AFS", 0x00C3_6400: "CephFS", 0xFF53_4D42: "CIFS", 0x6573_5546: "FUSE",
    0x0116_1970: "GFS2", 0x4750_4653: "GPFS", 0x0BD0_0BD0: "Lustre", 0x6969: "NFS",
    0x7461_636F: "OCFS2", 0x517B: "SMB", 0xFE53_4D42: "SMB2", 0x0102_1997: "9P",
  ]

  /// The one that holds a file or folder, or if it does not exist, the nearest folder above it that
  /// does; nil if that cannot be found out.
  static func holding(_ path: String) -> FileSystem? {
    var path = FilePath(path)
    repeat {
      if let status = FileSystemStatus(holding: path.string) {
        return FileSystem(
          id: status.id, hasReflinks: kindsWithReflinks.contains(status.kind),
          networkName: networkNames[status.kind], freeBytes: status.freeBytes)
      }
    } while path.removeLastComponent()
    return nil
  }
}
