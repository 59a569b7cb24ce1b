internal import Foundation
internal import SystemPackage

/// What changes with every write to a file or a block device.
struct FileLook: Sendable, Equatable {
  private let numbers: [Int64]

  /// - Returns: nil if nothing is there.
  init?(_ path: String) {
    guard let stat = try? FilePath(path).stat() else { return nil }
    if let folder = FileIdentity(path)?.deviceFolder {
      // A device's inode does not change; the kernel counts what is written to and discarded from it.
      guard let text = try? String(contentsOfFile: folder + "/stat", encoding: .utf8) else {
        return nil
      }
      let counts = text.split(whereSeparator: \.isWhitespace).compactMap { Int64($0) }
      // Documentation/block/stat.rst: sectors written are the 7th, sectors discarded the 14th.
      numbers = [6, 13].map { counts.indices.contains($0) ? counts[$0] : 0 }
    } else {
      let modified = stat.st_mtim
      numbers = [Int64(modified.tv_sec), Int64(modified.tv_nsec), stat.size]
    }
  }
}
