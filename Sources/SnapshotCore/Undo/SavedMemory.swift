internal import Foundation
internal import SystemPackage

/// What tells the memory of a guest that we saved from memory that somebody else saved later. Each
/// save writes a new file, and a start removes it.
public struct SavedMemory: Sendable, Equatable, Codable {
  private let path: String
  private let inode: UInt64
  private let size: Int64
  private let seconds: Int
  private let nanoseconds: Int

  /// The file as it is now.
  ///
  /// - Returns: nil if there is none, or if it cannot be inspected: then nothing is known.
  init?(at path: String) {
    guard let stat = try? FilePath(path).stat() else { return nil }
    self.path = path
    inode = UInt64(stat.inode.rawValue)
    size = stat.size
    seconds = stat.st_mtim.tv_sec
    nanoseconds = stat.st_mtim.tv_nsec
  }

  /// The memory of a server that was saved just now.
  init?(of facts: Facts) {
    guard let folder = SaveFolder.path(of: facts) else { return nil }
    self.init(at: "\(folder)/\(facts.domain.name).save")
  }

  /// Whether the file has been replaced since.
  var isReplaced: Bool {
    guard let now = SavedMemory(at: path) else { return false }
    return now != self
  }
}
