internal import SnapshotCore

/// Says how many bytes of a phase are done, how fast they go and how long the rest takes.
struct TransferMeter {
  private var phase: Snapshot.Progress.Phase?
  private var first: (bytes: Int64, time: ContinuousClock.Instant)?
  private var last: Int64 = 0

  /// Takes a report. Cheap: it is called for each block that an upload reads.
  mutating func take(_ progress: Snapshot.Progress, at now: ContinuousClock.Instant) {
    guard let bytes = progress.bytes else { return }
    // An upload that begins again is measured anew.
    if progress.phase != phase || bytes.done < last || first == nil {
      phase = progress.phase
      first = (bytes.done, now)
    }
    last = bytes.done
  }

  /// Describes a report that was taken.
  ///
  /// - Returns: for example `, 310 of 541 MB, 128 MB/s, 2 s left`; nil if nothing moves bytes.
  func text(_ progress: Snapshot.Progress, at now: ContinuousClock.Instant) -> String? {
    guard let bytes = progress.bytes else { return nil }
    let unit = Unit(for: bytes.total)
    var text = ", \(unit.number(bytes.done)) of \(unit.number(bytes.total)) \(unit.name)"
    guard let first, bytes.done > first.bytes else { return text }
    let passed = now - first.time
    // A rate over less says more of buffers than of the way.
    guard passed >= .milliseconds(500) else { return text }
    let rate = Double(bytes.done - first.bytes) / (passed / .seconds(1))
    let rateUnit = Unit(for: Int64(rate))
    text += ", \(rateUnit.number(Int64(rate))) \(rateUnit.name)/s"
    let left = Double(bytes.total - bytes.done) / rate
    return text + ", \(TransferMeter.time(left)) left"
  }

  /// Whole seconds, minutes or hours, rounded up.
  static func time(_ seconds: Double) -> String {
    let seconds = Int(min(seconds, 1e9).rounded(.up))
    if seconds < 60 { return "\(seconds) s" }
    let minutes = (seconds + 59) / 60
    return minutes < 60 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
  }

  /// A decimal unit, as disks and networks are sold.
  private struct Unit {
    let name: String
    private let size: Int64

    init(for bytes: Int64) {
      (name, size) =
        bytes >= 10_000_000_000
        ? ("GB", 1_000_000_000)
        : bytes >= 1_000_000 ? ("MB", 1_000_000) : ("kB", 1000)
    }

    func number(_ bytes: Int64) -> String { "\((bytes + size / 2) / size)" }
  }
}
