internal import Foundation
internal import Libvirt
internal import SystemPackage

/// The folders a path leads through, each of which nobody but root and this user can change.
///
/// Whoever can rename an entry of a folder above ours can put another folder or a link into its
/// place, and has root write where he likes. So every folder and every link on the way is looked at,
/// from `/` on; what passes stays as it is, since only the trusted can change it.
package struct TrustedFolders {
  /// What a folder is for: which error it is and how to name another one.
  package enum Purpose: Sendable {
    /// Large temporary files.
    case spool
    /// Definitions, the journals and locks.
    case state
    /// The image itself.
    case output
    /// The local image folder.
    case images

    /// How to name another folder, if there is a way.
    fileprivate var way: String? {
      switch self {
      case .spool: "--spool-dir"
      case .output: "--output"
      case .images: "--image-dir"
      case .state: getuid() == 0 ? nil : "XDG_STATE_HOME"
      }
    }

    fileprivate var code: SnapshotError.Code { self == .spool ? .spoolFailed : .unsafeFolder }
  }

  /// The folders on the way, without links, as far as they exist.
  private(set) var folders: [String] = []

  private let path: String
  private let purpose: Purpose
  private let user: UInt32
  private let group: UInt32
  private var linkCount = 0

  /// - Parameters:
  ///   - path: an absolute path; what it names need not exist.
  ///   - purpose: what the folder is for.
  ///   - user: who is trusted beside root.
  ///   - group: the user's own, which is trusted if nobody else is in it.
  /// - Throws: `spoolFailed` or `unsafeFolder`, naming the folder or link that is not safe.
  init(
    on path: String, for purpose: Purpose = .spool, user: UInt32 = getuid(),
    group: UInt32 = getgid()
  ) throws(SnapshotError) {
    self.path = path
    self.purpose = purpose
    self.user = user
    self.group = group
    try follow(FilePath(path), from: FilePath("/"))
  }

  /// Checks the folder of a file that is to be created.
  ///
  /// - Throws: `unsafeFolder`.
  package static func check(folderOf path: String, for purpose: Purpose) throws(SnapshotError) {
    _ = try TrustedFolders(on: FilePath(path).removingLastComponent().string, for: purpose)
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
          remedy: remedy("Name the folder it points to with", or: "chown -h root '\(next)'"))
      }
      linkCount += 1
      // Linux itself follows 40.
      guard linkCount <= 40,
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: next.string)
      else { throw refusal("the link \(next) leads nowhere", remedy: remedy()) }
      guard let end = try follow(FilePath(target), from: here) else { return nil }
      here = end
    }
    return here
  }

  private mutating func check(_ folder: FilePath) throws(SnapshotError) {
    guard !folders.contains(folder.string) else { return }
    guard let stat = try? folder.stat(followTargetSymlink: false) else {
      throw refusal("\(folder) cannot be inspected", remedy: remedy())
    }
    guard stat.type == .directory else {
      throw refusal("\(folder) is not a directory", remedy: remedy())
    }
    guard isTrusted(stat.userID.rawValue) else {
      throw refusal(
        "the folder \(folder) belongs to user \(stat.userID.rawValue)",
        remedy: remedy(or: "chown root '\(folder)'"))
    }
    // With the sticky bit, as in /tmp, only its owner can rename an entry.
    if !stat.permissions.contains(.saveText) {
      guard !stat.permissions.contains(.otherWrite) else {
        throw refusal(
          "everybody can write in the folder \(folder)", remedy: remedy(or: "chmod o-w '\(folder)'")
        )
      }
      if stat.permissions.contains(.groupWrite) {
        try checkGroup(stat.groupID.rawValue, of: folder)
      }
    }
    folders.append(folder.string)
  }

  private func isTrusted(_ owner: UInt32) -> Bool { owner == 0 || owner == user }

  /// The folder's group can write in it.
  private func checkGroup(_ owner: UInt32, of folder: FilePath) throws(SnapshotError) {
    let remedy = remedy(or: "chmod g-w '\(folder)'")
    guard owner == 0 || owner == group && HostUsers.isPrivate(group: owner, to: user) else {
      throw refusal("group \(owner) can write in the folder \(folder)", remedy: remedy)
    }
    // Then the bits of the group are those of everybody whom the list names.
    guard !HostUsers.hasAccessList(folder.string) else {
      throw refusal("an access list lets others write in the folder \(folder)", remedy: remedy)
    }
  }

  /// What to do: another folder, if one can be named, or a command.
  private func remedy(_ another: String = "Name another folder with", or command: String? = nil)
    -> String
  {
    let mend = command.map { "`\($0)`" }
    guard let way = purpose.way else {
      return "Fix it: \(mend ?? "`namei -l '\(path)'` shows the way")"
    }
    return "\(another) \(way)" + (mend.map { ", or: \($0)" } ?? "")
  }

  private func refusal(_ what: String, remedy: String) -> SnapshotError {
    SnapshotError(purpose.code, "the folder \(path) is not safe: \(what)", remedy: remedy)
  }
}
