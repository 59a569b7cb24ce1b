import Foundation
import SystemPackage

/// The error for a call to the file system that failed.
struct DiskFailure {
  let error: ImageServiceError

  /// - Parameters:
  ///   - doing: what could not be done, as in "/path could not be created".
  ///   - needed: how many bytes shall be written in all, if that is known.
  init(
    _ cause: any Error, doing: String, path: String, written: Int64 = 0, needed: Int64? = nil
  ) {
    let errno = Self.errno(cause)
    switch errno {
    case .noSpace, .diskQuotaExceeded:
      error = Self.noSpace(path: path, written: written, needed: needed, cause: cause)
    case .fileExists, .directoryNotEmpty:
      error = ImageServiceError(
        .fileExists, reason: "\(path) \(doing): it exists already.",
        remedy: "Choose another name, or remove it.", cause: cause)
    case .permissionDenied, .readOnlyFileSystem, .notPermitted:
      error = ImageServiceError(
        .writeFailed,
        reason: "\(path) \(doing): \(errno?.description ?? "permission denied").",
        remedy: "Choose a directory you may write to, or run as a user who may.", cause: cause)
    default:
      error = ImageServiceError(
        .writeFailed,
        reason: "\(path) \(doing): \(errno?.description ?? cause.localizedDescription).",
        remedy: "Check the directory and the disk below it.", cause: cause)
    }
  }

  static func noSpace(
    path: String, written: Int64, needed: Int64?, cause: (any Error)? = nil
  ) -> ImageServiceError {
    let free = freeBytes(near: path).map { "\($0) bytes are free" } ?? "the disk is full"
    let wanted = needed.map { "needed \(max(0, $0 - written)) more bytes" } ?? "needed more space"
    return ImageServiceError(
      .noSpace,
      reason: "\(path) \(wanted) after \(written) bytes, but \(free).",
      remedy: "Free some space, or choose a directory on another disk.", cause: cause)
  }

  /// The free bytes of the file system a path is on, for this user.
  static func freeBytes(near path: String) -> Int64? {
    freeBytes(in: (path as NSString).deletingLastPathComponent)
  }

  /// The free bytes of the file system that a directory is on, for this user.
  static func freeBytes(in directory: String) -> Int64? {
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: directory)
    return (attributes?[.systemFreeSize] as? NSNumber)?.int64Value
  }

  /// Foundation wraps the number of the system in one or two layers.
  private static func errno(_ error: any Error) -> Errno? {
    if let errno = error as? Errno { return errno }
    if let posix = error as? POSIXError { return Errno(rawValue: posix.code.rawValue) }
    let object = error as NSError
    if object.domain == NSPOSIXErrorDomain { return Errno(rawValue: Int32(object.code)) }
    return (object.userInfo[NSUnderlyingErrorKey] as? any Error).flatMap(errno)
  }
}
