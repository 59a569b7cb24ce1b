internal import Foundation
internal import SystemPackage

/// The folders a path leads through, each of which nobody but root and this user can change.
///
/// Whoever can rename an entry of a folder above ours can put another folder or a link into its
/// place, and has root write where he likes. So every folder and every link on the way is looked at,
/// from `/` on; what passes stays as it is, since only the trusted can change it.
struct TrustedFolders {
  /// The folders on the way, without links, as far as they exist.
  private(set) var folders: [String] = []

  private let path: String
  private let user: UInt32
  private let group: UInt32
  private var linkCount = 0

  /// - Parameters:
  ///   - path: an absolute path; what it names need not exist.
  ///   - user: who is trusted beside root.
  ///   - group: whose members are trusted: the user's own.
  /// - Throws: `spoolFailed`, naming the folder or link that is not safe.
  init(on path: String, user: UInt32 = getuid(), group: UInt32 = getgid()) throws(SnapshotError) {
    self.path = path
    self.user = user
    self.group = group
    try follow(FilePath(path), from: FilePath("/"))
  }

  /// - Returns: where it leads; nil where the rest does not exist.
  @discardableResult
  private mutating func follow(_ path: FilePath, from start: FilePath) throws(SnapshotError)
    -> FilePath?
  {
    var here = start
    if path.isAbsolute {
      here = FilePath("/")
      try check(here)
    }
    for component in path.components {
      // After links are followed, and not before: `link/..` is the folder above its target.
      if component.kind == .parentDirectory { here.removeLastComponent() }
      guard component.kind == .regular else { continue }
      let next = here.appending(component)
      guard let stat = try? next.stat(followTargetSymlink: false) else { return nil }
      guard stat.type == .symbolicLink else {
        try check(next)
        here = next
        continue
      }
      guard isTrusted(stat.userID.rawValue) else {
        throw refusal(
          "the link \(next) belongs to user \(stat.userID.rawValue)",
          remedy: "Name the folder it points to with --spool-dir, or `chown -h root '\(next)'`")
      }
      linkCount += 1
      // Linux itself follows 40.
      guard linkCount <= 40,
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: next.string)
      else { throw refusal("the link \(next) leads nowhere", remedy: Self.another) }
      guard let end = try follow(FilePath(target), from: here) else { return nil }
      here = end
    }
    return here
  }

  private mutating func check(_ folder: FilePath) throws(SnapshotError) {
    guard !folders.contains(folder.string) else { return }
    guard let stat = try? folder.stat(followTargetSymlink: false) else {
      throw refusal("\(folder) can't be looked at", remedy: Self.another)
    }
    guard stat.type == .directory else {
      throw refusal("\(folder) is no folder", remedy: Self.another)
    }
    guard isTrusted(stat.userID.rawValue) else {
      throw refusal(
        "the folder \(folder) belongs to user \(stat.userID.rawValue)",
        remedy: "Name a folder with --spool-dir that only you and root can change")
    }
    // With the sticky bit, as in /tmp, only its owner can rename an entry.
    if !stat.permissions.contains(.saveText) {
      guard !stat.permissions.contains(.otherWrite) else {
        throw refusal(
          "everybody can write in the folder \(folder)",
          remedy: "Name another folder with --spool-dir, or: `chmod o-w '\(folder)'`")
      }
      let owner = stat.groupID.rawValue
      guard !stat.permissions.contains(.groupWrite) || owner == 0 || owner == group else {
        throw refusal(
          "group \(owner) can write in the folder \(folder)",
          remedy: "Name another folder with --spool-dir, or: `chmod g-w '\(folder)'`")
      }
    }
    folders.append(folder.string)
  }

  private func isTrusted(_ owner: UInt32) -> Bool { owner == 0 || owner == user }

  private static let another = "Name another folder with --spool-dir"

  private func refusal(_ what: String, remedy: String) -> SnapshotError {
    SnapshotError(.spoolFailed, "the folder \(path) is not safe: \(what)", remedy: remedy)
  }
}
