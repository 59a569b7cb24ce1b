import Foundation

/// Refuses to begin a file that cannot fit, where its length is known beforehand.
struct SpaceCheck {
  let path: String
  let needed: Int64?

  func run() throws(ImageServiceError) {
    guard let needed, let free = DiskFailure.freeBytes(near: path), needed > free else { return }
    throw DiskFailure.noSpace(path: path, written: 0, needed: needed)
  }

  /// The same for a directory, which may not exist yet, before there is an image.
  static func beforehand(in directory: String, needed: Int64) throws(ImageServiceError) {
    var existing = directory
    while !FileManager.default.fileExists(atPath: existing), existing.count > 1 {
      existing = (existing as NSString).deletingLastPathComponent
    }
    guard let free = DiskFailure.freeBytes(in: existing), needed > free else { return }
    throw ImageServiceError(
      .noSpace,
      reason: "\(directory) needed \(needed) bytes for the image, but \(free) bytes were free.",
      remedy: "Free some space, or choose a directory on another disk.")
  }
}
