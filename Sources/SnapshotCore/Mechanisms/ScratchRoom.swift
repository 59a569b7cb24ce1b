/// Judges whether a scratch file that grows still has room, and when to look again.
///
/// How much must stay free goes by how fast the file grows: what a fast disk writes between two looks
/// and while the job is ended.
struct ScratchRoom: Sendable {
  /// What must stay free at least, in bytes.
  static let least: UInt64 = 64 << 20
  static let longestPause = Duration.seconds(1)
  static let shortestPause = Duration.milliseconds(20)
  /// For how long the room must last: an abort takes up to a second.
  private static let lead = 2.0
  /// The rate that the next look allows for, even if nothing has been written so far: a fast disk's,
  /// in bytes a second.
  private static let possibleRate = 2e9
  /// Over how many seconds the growth is measured: a single burst is not a rate.
  private static let window = 0.5

  /// The disk's size: no scratch file gets larger.
  private let size: UInt64
  /// Where the growth is measured from: at least a window ago, once there is such a look.
  private var base: (scratch: UInt64, time: ContinuousClock.Instant)?
  /// How fast the file has grown lately, in bytes a second.
  private var rate = 0.0

  init(size: UInt64) { self.size = size }

  /// Takes what a look showed.
  ///
  /// - Parameters:
  ///   - free: the bytes free in the file system.
  ///   - scratch: the file's length in bytes.
  /// - Returns: how long to wait for the next look; nil if the job must be ended now.
  mutating func look(free: UInt64, scratch: UInt64, at now: ContinuousClock.Instant) -> Duration? {
    let base = base ?? (scratch, now)
    let seconds = (now - base.time) / .seconds(1)
    let grown = Double(scratch - min(base.scratch, scratch)) / max(seconds, ScratchRoom.window)
    // A guest pauses between two bursts: what it was capable of is forgotten slowly.
    let current = max(grown, rate * max(0, 1 - seconds / 30))
    if seconds >= ScratchRoom.window || self.base == nil {
      self.base = (scratch, now)
      rate = current
    }
    let reserve = max(
      ScratchRoom.least, UInt64(min(current, ScratchRoom.possibleRate) * ScratchRoom.lead))
    if free < reserve, free < size - min(size, scratch) { return nil }
    let spare = Double(free - min(reserve, free))
    let pause = Duration.seconds(spare / max(current, ScratchRoom.possibleRate) / 2)
    return min(max(pause, ScratchRoom.shortestPause), ScratchRoom.longestPause)
  }
}
