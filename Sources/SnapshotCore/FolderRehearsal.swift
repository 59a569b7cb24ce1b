internal import Foundation
internal import Glibc
internal import SystemPackage

/// Whether a folder can be used for new files, or created, found out without trying.
enum FolderRehearsal {
  /// What is in the way.
  struct Obstacle {
    let reason: String
    let error: Errno
  }

  /// - Parameter path: an absolute path that need not exist.
  /// - Returns: nil if nothing is in the way.
  static func obstacle(to path: String) -> Obstacle? {
    var folder = FilePath(path)
    while true {
      do {
        // Through links: a link that leads nowhere cannot be created in.
        let stat = try folder.stat()
        guard stat.type == .directory else {
          return Obstacle(reason: "\(folder) is not a directory", error: .notDirectory)
        }
        break
      } catch Errno.noSuchFileOrDirectory {
        guard folder.removeLastComponent() else { return nil }
      } catch {
        return Obstacle(reason: "\(folder): \(error)", error: error)
      }
    }
    let files = FileManager.default
    // /proc and /sys let root do everything but create a folder.
    let room = try? files.attributesOfFileSystem(forPath: folder.string)[.systemSize] as? NSNumber
    if room?.uint64Value == 0 {
      return Obstacle(reason: "\(folder) is on a file system without room", error: .noSpace)
    }
    guard
      !files.isWritableFile(atPath: folder.string)
        || !files.isExecutableFile(atPath: folder.string)
    else { return nil }
    // Root is kept out by nothing but the file system itself.
    let number = geteuid() == 0 ? Errno.readOnlyFileSystem : .permissionDenied
    return Obstacle(reason: "\(folder) is not writable (\(number))", error: number)
  }
}
