import Foundation
import SystemPackage

/// Paths of this machine.
enum LocalPath {
  /// Absolute, without `.`, `..` and double slashes where that needs no look at links.
  static func absolute(_ path: String) -> String {
    let start =
      path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    return FilePath(start).lexicallyNormalized().string
  }

  /// Whether anything has this name, also a link to nowhere.
  static func exists(_ path: String) -> Bool {
    (try? FileManager.default.attributesOfItem(atPath: path)) != nil
  }

  /// Whether this is a directory, or a link to one.
  static func isDirectory(_ path: String) -> Bool {
    let target = URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
    let attributes = try? FileManager.default.attributesOfItem(atPath: target)
    return attributes?[.type] as? FileAttributeType == .typeDirectory
  }

  /// The length in bytes as the disk has it.
  ///
  /// - Throws: `imageGone` if there is no such regular file.
  static func fileSize(_ path: String) throws(ImageServiceError) -> Int64 {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular,
      let size = (attributes?[.size] as? NSNumber)?.int64Value
    else {
      throw ImageServiceError(
        .imageGone, reason: "\(path) no longer exists: somebody removed it during the run.",
        remedy: "Make the image again.")
    }
    return size
  }

  /// Removes a file or a directory with its contents. What is not there is success.
  static func remove(_ path: String) throws(ImageServiceError) {
    guard exists(path) else { return }
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      guard exists(path) else { return }
      throw DiskFailure(error, doing: "could not be removed", path: path).error
    }
  }
}
