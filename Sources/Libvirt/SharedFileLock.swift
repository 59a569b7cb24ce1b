internal import Glibc

/// The locks by which QEMU's programs tell each other what they do with a file (`file.locking`).
///
/// Each bit of a permission has two bytes of the file: a lock on byte 100 + n says that somebody uses
/// the permission, one on byte 200 + n that somebody does not let others use it. They are read locks
/// of an open file description (`F_OFD_SETLK`), so they end with the descriptor, however the process
/// ends, and whoever looks asks for a write lock.
///
/// Source: QEMU's `block/file-posix.c` (`RAW_LOCK_PERM_BASE`, `RAW_LOCK_SHARED_BASE`) and
/// `include/block/block-common.h` (`BLK_PERM_WRITE` is bit 1).
package final class SharedFileLock: Sendable {
  private static let permissions: off_t = 100
  private static let refusals: off_t = 200
  private static let count: off_t = 5
  private static let writing: off_t = 1

  /// `F_OFD_GETLK` and `F_OFD_SETLK`, which glibc declares to GNU programs only.
  private static let getLock: Int32 = 36
  private static let setLock: Int32 = 37

  private let descriptor: Int32

  /// Opens a file for reading; nothing is locked yet.
  ///
  /// - Throws: why it can't be opened.
  package init(path: String) throws(SystemError) {
    descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard descriptor >= 0 else { throw SystemError() }
  }

  deinit { close(descriptor) }

  /// An `errno`.
  package struct SystemError: Error, Sendable, CustomStringConvertible {
    /// The number.
    package let number: Int32

    init() { number = errno }

    /// Whether the file system has no such locks.
    package var isUnsupported: Bool {
      [EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP].contains(number)
    }

    /// The system's text for it.
    package var description: String { unsafe String(cString: strerror(number)) }
  }

  /// Keeps others from writing, as long as this value lives (QEMU: "Failed to get "write" lock").
  ///
  /// It does not see those who write already: ask ``isWritten()`` after it.
  package func refuseWriters() throws(SystemError) {
    var lock = SharedFileLock.lock(F_RDLCK, at: Self.refusals + Self.writing, count: 1)
    guard unsafe fcntl(descriptor, SharedFileLock.setLock, &lock) == 0 else { throw SystemError() }
  }

  /// Whether somebody has the file open for writing.
  package func isWritten() throws(SystemError) -> Bool {
    try isHeld(at: Self.permissions + Self.writing, count: 1)
  }

  /// Whether a QEMU program has the file open in any way, this value aside.
  package func isOpenInQemu() throws(SystemError) -> Bool {
    if try isHeld(at: Self.permissions, count: Self.count) { return true }
    return try isHeld(at: Self.refusals, count: Self.count)
  }

  /// Makes the kernel write out what it still holds back of the file.
  package func flush() { _ = fsync(descriptor) }

  private func isHeld(at start: off_t, count: off_t) throws(SystemError) -> Bool {
    var lock = SharedFileLock.lock(F_WRLCK, at: start, count: count)
    guard unsafe fcntl(descriptor, SharedFileLock.getLock, &lock) == 0 else { throw SystemError() }
    return lock.l_type != Int16(F_UNLCK)
  }

  private static func lock(_ type: Int32, at start: off_t, count: off_t) -> flock {
    flock(
      l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: start, l_len: count, l_pid: 0)
  }
}
