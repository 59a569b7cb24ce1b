internal import SystemPackage

/// A mounted file system.
struct FileSystem: Sendable, Equatable {
  /// Its kind as coreutils name it: `xfs`, `btrfs`, `ext2/ext3`.
  let kind: String
  /// What tells it from others of its kind.
  let id: String

  /// Whether files can share blocks there. Some of these kinds can be made without; only a try
  /// tells.
  var hasReflinks: Bool { ["btrfs", "xfs", "bcachefs", "ocfs2"].contains(kind) }

  /// Whether other hosts can have it mounted, too.
  var isOfNetwork: Bool {
    [
      "afs", "ceph", "cifs", "fuse", "fuseblk", "gfs/gfs2", "gpfs", "lustre", "nfs", "nfsd",
      "ocfs2",
      "smb", "smb2", "v9fs",
    ].contains(kind)
  }

  /// The one that holds a file or folder, or where it does not exist, its nearest folder above; nil
  /// where that can't be found out.
  static func holding(_ path: String) async -> FileSystem? {
    var path = FilePath(path)
    repeat {
      let answer = try? await HostProgram.stat.output(
        ["--file-system", "--dereference", "--format=%i %T", "--", path.string], about: path.string)
      if let words = answer?.split(separator: " ", maxSplits: 1), words.count == 2 {
        return FileSystem(kind: String(words[1]), id: String(words[0]))
      }
    } while path.removeLastComponent()
    return nil
  }
}
