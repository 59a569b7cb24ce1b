internal import Foundation
internal import Glibc
internal import Synchronization

/// Where the tests stop or kill a run: before and after each line of the journal, while the guest is
/// frozen, and when so much of it is done. Built for debugging only; a release build has nothing here.
///
/// `IMAGE_CREATE_FAULT` is `list`, `kill@7+` or `stop@7-`: a step's number from 1, then `-` for
/// before it is done or `+` for after. `stop@push abortBackup+` is the same by the step's name, which
/// `list` tells. `stop@40%` is where the run first says that it is so far.
struct FaultPoints: Sendable {
  #if DEBUG
    private static let wish = ProcessInfo.processInfo.environment["IMAGE_CREATE_FAULT"] ?? ""
    private static let count = Mutex(0)
    private static let percent = Mutex(
      wish.wholeMatch(of: /stop@(\d+)%/).flatMap { Double($0.1) })

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

    func pass(at fraction: Double) {
      let isThere = FaultPoints.percent.withLock { percent in
        guard let wish = percent, fraction * 100 >= wish else { return false }
        percent = nil
        return true
      }
      if isThere { kill(getpid(), SIGSTOP) }
    }

    private func pass(_ point: String, _ name: String) {
      switch FaultPoints.wish {
      case "list":
        try? FileHandle.standardError.write(
          contentsOf: Data("fault point \(point) \(name)\n".utf8))
      case "stop@\(name)\(point.suffix(1))": kill(getpid(), SIGSTOP)
      case "kill@\(point)": kill(getpid(), SIGKILL)
      case "stop@\(point)": kill(getpid(), SIGSTOP)
      default: break
      }
    }
  #else
    func pass(before name: String) {}
    func pass(after name: String) {}
    func pass(at fraction: Double) {}
  #endif
}
