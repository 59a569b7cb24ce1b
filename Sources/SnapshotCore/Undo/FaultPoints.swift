internal import Foundation
internal import Glibc
internal import Synchronization

/// Where the tests stop or kill a run: before and after each line of the journal, while the guest is
/// frozen, and when so much of it is done. Built for debugging only; a release build has nothing here.
///
/// `IMAGE_CREATE_FAULT` is `list`, `kill@7+` or `stop@7-`: a step's number from 1, then `-` for
/// before it is done or `+` for after. A step's name does as well: `stop@frozen-` is the first of that
/// name. `stop@40%` is where the run first says that it is so far. `IMAGE_CREATE_GUARDIAN=off` runs
/// without a guardian, as if that had been killed as well.
struct FaultPoints: Sendable {
  #if DEBUG
    static let hasNoGuardian =
      ProcessInfo.processInfo.environment["IMAGE_CREATE_GUARDIAN"] == "off"

    private static let wish = ProcessInfo.processInfo.environment["IMAGE_CREATE_FAULT"] ?? ""
    private static let count = Mutex(0)
    /// Whether the step that is meant by its name was there.
    private static let named = Mutex(false)
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
      case "kill@\(point)": kill(getpid(), SIGKILL)
      case "stop@\(point)": kill(getpid(), SIGSTOP)
      case "stop@\(name)\(point.suffix(1))":
        let isFirst = FaultPoints.named.withLock { wasThere in
          defer { wasThere = true }
          return !wasThere
        }
        if isFirst { kill(getpid(), SIGSTOP) }
      default: break
      }
    }
  #else
    static let hasNoGuardian = false

    func pass(before name: String) {}
    func pass(after name: String) {}
    func pass(at fraction: Double) {}
  #endif
}
