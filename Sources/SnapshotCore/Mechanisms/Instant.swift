internal import Foundation
internal import Synchronization

/// When the point in time was fixed, noted by whoever fixes it.
final class Instant: Sendable {
  private let time = Mutex<Date?>(nil)

  /// Notes that it is now.
  func note() { time.withLock { $0 = .now } }

  /// Notes that it is now, if no mechanism said so: what is at rest has no other instant.
  func noteIfUnknown() { time.withLock { $0 = $0 ?? .now } }

  /// ISO 8601 in UTC, in whole seconds as Glance writes its times; nil before it was noted.
  var text: String? { time.withLock { $0 }?.formatted(.iso8601) }
}
