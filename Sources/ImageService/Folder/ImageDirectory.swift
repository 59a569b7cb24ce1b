import Foundation
import Glibc
import SystemPackage

/// A directory that images are put into.
struct ImageDirectory {
  let path: String

  /// - Throws: `badDirectory` if it is a link, not a directory, or open to everybody.
  func checkSafety() throws(ImageServiceError) {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return }
    switch attributes[.type] as? FileAttributeType {
    case .typeDirectory: break
    case .typeSymbolicLink:
      throw ImageServiceError(
        .badDirectory, reason: "The image folder \(path) was a symbolic link.",
        remedy: "Name the directory it points to.")
    default:
      throw ImageServiceError(
        .badDirectory, reason: "The image folder \(path) was not a directory.",
        remedy: "Choose another directory, or remove the file.")
    }
    let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
    // Anybody could swap an image for another one in there.
    guard mode & 0o002 == 0 else {
      throw ImageServiceError(
        .badDirectory,
        reason: "The image folder \(path) was writable for everybody.",
        remedy: "chmod o-w '\(path)'")
    }
  }

  /// Checks, without changing anything, that images can be put here.
  func checkWritable() throws(ImageServiceError) {
    try checkSafety()
    var existing = path
    while !FileManager.default.fileExists(atPath: existing), existing != "/", !existing.isEmpty {
      existing = (existing as NSString).deletingLastPathComponent
    }
    guard LocalPath.isDirectory(existing) else {
      throw ImageServiceError(
        .badDirectory, reason: "\(existing), above the image folder \(path), was not a directory.",
        remedy: "Choose another directory.")
    }
    guard FileManager.default.isWritableFile(atPath: existing) else {
      throw ImageServiceError(
        .badDirectory, reason: "The directory \(existing) was not writable for this user.",
        remedy: "Choose a directory you may write to, or run as a user who may.")
    }
  }

  /// Makes the directory, and those above it, for its owner only.
  func createIfMissing() throws(ImageServiceError) {
    try checkSafety()
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw DiskFailure(error, doing: "could not be created", path: path).error
    }
    try checkSafety()
  }

  /// Makes a new directory inside, for its owner only.
  func createSubdirectory(_ name: String) throws(ImageServiceError) -> String {
    let subdirectory = path + "/" + name
    do {
      try FileManager.default.createDirectory(
        atPath: subdirectory, withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o700])
    } catch {
      throw DiskFailure(error, doing: "could not be created", path: subdirectory).error
    }
    return subdirectory
  }

  /// Makes sure that a new, renamed or removed entry survives a power cut.
  func flush() throws(ImageServiceError) {
    do {
      let directory = try FileDescriptor.open(
        FilePath(path), .readOnly, options: [.closeOnExec, .directory])
      defer { try? directory.close() }
      guard fsync(directory.rawValue) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      throw DiskFailure(error, doing: "could not be flushed to the disk", path: path).error
    }
  }
}
