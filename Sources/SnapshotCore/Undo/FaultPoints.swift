internal import Foundation
internal import Glibc
internal import Synchronization

/// Where the crash tests (`scripts/torture`) stop or kill a run: before and after each line of the
/// journal, and while the guest is frozen. Built for debugging only; a release build has nothing here.
///
/// `IMAGE_CREATE_FAULT` is `list`, `kill@7+` or `stop@7-`: a step's number from 1, then `-` for
/// before it is done or `+` for after.
struct FaultPoints: Sendable {
  #if DEBUG
    private static let wish = ProcessInfo.processInfo.environment["IMAGE_CREATE_FAULT"] ?? ""
    private static let count = Mutex(0)

    func pass(before name: String) {
      let number = FaultPoints.count.withLock { count in
        count += 1
        return count
      }
      pass("\(number)-", name)
    }

    func pass(after name: String) {
      pass("\(FaultPoints.count.withLock { $0 })+", name)
    }

    private func pass(_ point: String, _ name: String) {
      switch FaultPoints.wish {
      case "list":
        try? FileHandle.standardError.write(
          contentsOf: Data("fault point \(point) \(name)\n".utf8))
      case "kill@\(point)": kill(getpid(), SIGKILL)
      case "stop@\(point)": kill(getpid(), SIGSTOP)
      default: break
      }
    }
  #else
    func pass(before name: String) {}
    func pass(after name: String) {}
  #endif
}
