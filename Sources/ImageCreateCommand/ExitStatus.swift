internal import Foundation
internal import ImageService
internal import Libvirt
internal import SnapshotCore
internal import SystemPackage

/// How the program ends, for scripts. A signal that stops it gives 128 + its number instead.
enum ExitStatus: Int32, CaseIterable, Sendable {
  case done = 0
  case failed = 1
  case usage = 2
  case attention = 3
  case denied = 4
  case busy = 5

  /// What a script may rely on: for `--help`, and for the page in docs, which a test compares.
  var meaning: String {
    switch self {
    case .done: "The image is complete and verified, and the server is as it was."
    case .failed:
      "It failed and was undone; there is no image. What could not be undone is printed, with "
        + "commands."
    case .usage: "The command line is wrong. Nothing was touched."
    case .attention:
      "The image is complete, its id is printed, and something needs attention: what could not be "
        + "undone is printed, with commands."
    case .denied:
      "Sign-in or permission: credentials are missing or refused, or this user may not do it."
    case .busy:
      "Busy, try again later: another job or run has the server, or a service is overloaded."
    }
  }

  /// What a signal gives, for the same places.
  static let signals = (
    number: "128+n",
    meaning: "Stopped by signal n, and undone: 129 SIGHUP, 130 SIGINT, 143 SIGTERM."
  )

  /// Every status with its meaning, in order.
  static var table: [(number: String, meaning: String)] {
    allCases.map { ("\($0.rawValue)", $0.meaning) } + [signals]
  }

  /// The status of a run that stopped with an error and has no image.
  init(_ error: any Error) {
    switch error {
    case let error as SnapshotError: self = ExitStatus.of(error)
    case let error as ImageServiceError: self = ExitStatus.of(error)
    case let error as LibvirtError: self = ExitStatus.of(SnapshotError(error))
    default: self = ExitStatus.isDenied(error) ? .denied : .failed
    }
  }

  private static func of(_ error: SnapshotError) -> ExitStatus {
    if isDenied(error.cause) { return .denied }
    switch error.code {
    case .serverBusy: return .busy
    // One that cannot be used has a cause; one that somebody holds has none.
    case .serverLocked: return error.cause == nil ? .busy : .failed
    // Most often the state change lock, which another job holds.
    case .libvirtFailed:
      return (error.cause as? LibvirtError)?.code == .operationTimeout ? .busy : .failed
    default: return .failed
    }
  }

  private static func of(_ error: ImageServiceError) -> ExitStatus {
    switch error.code {
    // Nobody can sign in with settings that are missing or contradict each other.
    case .unauthorized, .forbidden, .badConfiguration: .denied
    // A service that answers 503 may recover; one that does not answer may be a wrong address.
    case .unavailable: .busy
    default: isDenied(error.cause) ? .denied : .failed
    }
  }

  /// Whether this user may not do it, by the system's own numbers.
  private static func isDenied(_ error: (any Error)?) -> Bool {
    switch error {
    case nil: return false
    case let error as LibvirtError: return error.isPermissionDenied
    case let error as Errno: return error == .permissionDenied || error == .notPermitted
    case let error as SnapshotError: return isDenied(error.cause)
    case let error as ImageServiceError: return isDenied(error.cause)
    case let error?:
      // Any Swift error can be one of these; only Foundation's own say more.
      let error = error as NSError
      if error.domain == NSPOSIXErrorDomain {
        return error.code == Int(EACCES) || error.code == Int(EPERM)
      }
      return isDenied(error.userInfo[NSUnderlyingErrorKey] as? NSError)
    }
  }
}
