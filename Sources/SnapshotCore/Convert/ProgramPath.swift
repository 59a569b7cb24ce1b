internal import Foundation
internal import Glibc
internal import SystemPackage

/// Finds programs of this host by name, without running anything.
///
/// As root, the first `qemu-img` in PATH is not good enough: a directory that somebody else can write
/// to would let that somebody run code as root.
struct ProgramPath: Sendable {
  /// Directories of the system, looked at first. Children get them as their PATH.
  static let systemDirectories = [
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
  ]

  private let directories: [String]
  private let user: UInt32
  private let group: UInt32

  /// - Parameters:
  ///   - searchPath: the variable PATH; its absolute entries are looked at last.
  ///   - first: directories to look at before those.
  ///   - user: whose programs are trusted beside root's.
  ///   - group: whose members are trusted.
  init(
    searchPath: String, after first: [String] = ProgramPath.systemDirectories,
    user: UInt32 = getuid(), group: UInt32 = getgid()
  ) {
    let entries = searchPath.split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
    directories = first + entries.filter { !first.contains($0) }
    self.user = user
    self.group = group
  }

  /// The path of a program.
  ///
  /// - Parameter package: the Debian package that has it, for the message.
  /// - Throws: `programFailed`, naming the directories that were passed over.
  func find(_ name: String, package: String) throws(SnapshotError) -> String {
    var passed: [String] = []
    for directory in directories {
      let path = directory + "/" + name
      guard FileManager.default.isExecutableFile(atPath: path),
        let stat = try? FilePath(path).stat(), stat.type == .regular
      else { continue }
      guard let obstacle = obstacle(to: path, in: directory, stat) else {
        return path
      }
      passed.append("\(path) is not used: \(obstacle)")
    }
    let rest = passed.isEmpty ? "" : " (\(passed.joined(separator: "; ")))"
    throw SnapshotError(
      .programFailed, "the program \(name) was not found\(rest)",
      remedy: "Install it: `apt-get install \(package)`")
  }

  /// Why a program is not safe to run; nil if it is.
  private func obstacle(to path: String, in directory: String, _ stat: Stat) -> String? {
    guard isSafe(stat) else { return "others can change the file" }
    // A program may be a link into another directory, for example of Debian's alternatives.
    let target = URL(filePath: path).resolvingSymlinksInPath().deletingLastPathComponent().path
    for folder in target == directory ? [directory] : [directory, target] {
      do {
        _ = try TrustedFolders(on: folder, user: user, group: group)
      } catch {
        return error.reason
      }
      // In a sticky directory, which passes above, anybody can create a program.
      guard let stat = try? FilePath(folder).stat(), isSafe(stat) else {
        return "others can write in \(folder)"
      }
    }
    return nil
  }

  private func isSafe(_ stat: Stat) -> Bool {
    let isTrusted = stat.userID.rawValue == 0 || stat.userID.rawValue == user
    let owner = stat.groupID.rawValue
    return isTrusted && !stat.permissions.contains(.otherWrite)
      && (!stat.permissions.contains(.groupWrite) || owner == 0 || owner == group)
  }
}
