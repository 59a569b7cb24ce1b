internal import CLibvirt

/// What the kernel says of the file system that holds a path (`statfs`).
package struct FileSystemStatus: Sendable {
  /// What tells a mounted file system from others.
  package struct ID: Sendable, Hashable {
    private let words: [Int32]
    fileprivate init(_ words: [Int32]) { self.words = words }
  }

  /// Its kind by its magic number, for example 0x58465342 for XFS.
  package let kind: UInt64
  /// What tells it from others.
  package let id: ID
  /// The bytes that an ordinary user may still write.
  package let freeBytes: UInt64

  /// Asks for the file system of a path; nil if the path does not exist or cannot be looked at.
  package init?(holding path: String) {
    var status = statfs()
    guard unsafe statfs(path, &status) == 0 else { return nil }
    kind = UInt64(truncatingIfNeeded: status.f_type)
    id = ID([status.f_fsid.__val.0, status.f_fsid.__val.1])
    let block = UInt64(clamping: status.f_frsize)
    let (bytes, isMore) = UInt64(clamping: status.f_bavail)
      .multipliedReportingOverflow(by: block)
    freeBytes = isMore ? .max : bytes
  }
}
