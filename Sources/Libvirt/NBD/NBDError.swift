internal import CLibnbd
internal import Glibc

/// A call of libnbd that failed, with what libnbd said of it.
///
/// Source: `nbd_get_error` and `nbd_get_errno` of the thread that made the call.
public struct NBDError: Error, Sendable, CustomStringConvertible {
  /// The C function that failed, for example `nbd_aio_pread`.
  public let operation: String
  /// What it was called on: the export, and the range of bytes where there is one.
  public let object: String
  /// The system's error number; `EIO` where libnbd knew none.
  public let errno: Int32
  /// libnbd's message, on one line.
  public let message: String

  /// Makes an error from parts, for failures that libnbd itself did not report.
  public init(operation: String, object: String, errno: Int32, message: String) {
    self.operation = operation
    self.object = object
    self.errno = errno
    self.message = message
  }

  /// Whether ``NBDCancellation/cancel()`` was the reason.
  public var isCancellation: Bool { errno == ECANCELED }
  /// Whether the server was silent for too long.
  public var isTimeout: Bool { errno == ETIMEDOUT }

  /// The operation, its object, the message and the number, on one line.
  public var description: String {
    "\(operation) on \(object) failed: \(message) (errno \(errno))"
  }

  /// Reads this thread's last libnbd error; must run on the thread that made the call.
  static func last(operation: String, object: String) -> NBDError {
    let number = nbd_get_errno()
    let text = unsafe nbd_get_error().map { unsafe String(cString: $0) } ?? "no reason was given"
    return NBDError(
      operation: operation, object: object, errno: number == 0 ? EIO : number,
      message: text.split(whereSeparator: \.isNewline).joined(separator: " "))
  }

  static func cancelled(operation: String, object: String) -> NBDError {
    NBDError(
      operation: operation, object: object, errno: ECANCELED, message: "reading was cancelled")
  }

  static func timedOut(operation: String, object: String, limit: Duration) -> NBDError {
    NBDError(
      operation: operation, object: object, errno: ETIMEDOUT,
      message: "the server was silent for \(limit.components.seconds) s")
  }
}
