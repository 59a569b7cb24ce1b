import Foundation

/// Refuses to begin a file that cannot fit, where its length is known beforehand.
struct SpaceCheck {
  let path: String
  let needed: Int64?

  func run() throws(ImageServiceError) {
    guard let needed, let free = DiskFailure.freeBytes(near: path), needed > free else { return }
    throw DiskFailure.noSpace(path: path, written: 0, needed: needed)
  }
}
