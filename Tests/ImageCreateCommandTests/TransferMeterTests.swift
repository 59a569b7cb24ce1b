import SnapshotCore
import Testing

@testable import ImageCreateCommand

@Suite struct TransferMeterTests {
  private static func report(
    _ done: Int64, of total: Int64, _ phase: Snapshot.Progress.Phase = .uploading
  ) -> Snapshot.Progress {
    Snapshot.Progress(phase: phase, fraction: 0, bytes: .init(done: done, total: total))
  }

  @Test func `a phase without bytes says nothing`() {
    let meter = TransferMeter()
    #expect(meter.text(Snapshot.Progress(phase: .snapshot, fraction: 0.1), at: .now) == nil)
  }

  static let rates: [(Int64, Int64, Duration, String)] = [
    (100_000_000, 541_000_000, .milliseconds(400), ", 100 of 541 MB"),
    (128_000_000, 541_000_000, .seconds(1), ", 128 of 541 MB, 128 MB/s, 4 s left"),
    (
      20_000_000_000, 1_000_000_000_000, .seconds(200), ", 20 of 1000 GB, 100 MB/s, 2 h 44 min left"
    ),
    (1000, 100_000, .seconds(10), ", 1 of 100 kB, 0 kB/s, 17 min left"),
    (5_000_000, 5_000_000, .seconds(1), ", 5 of 5 MB, 5 MB/s, 0 s left"),
  ]

  @Test(arguments: rates)
  func `rate and time left are those since the phase began`(
    _ done: Int64, _ total: Int64, _ passed: Duration, text: String
  ) {
    var meter = TransferMeter()
    let begin = ContinuousClock.now
    meter.take(Self.report(0, of: total), at: begin)
    meter.take(Self.report(done, of: total), at: begin + passed)
    #expect(meter.text(Self.report(done, of: total), at: begin + passed) == text)
  }

  @Test(
    arguments: [(Snapshot.Progress.Phase.uploading, 10), (.snapshot, 200)]
      as [(Snapshot.Progress.Phase, Int64)])
  func `another phase, and an upload that begins again, are measured anew`(
    _ phase: Snapshot.Progress.Phase, _ done: Int64
  ) {
    var meter = TransferMeter()
    let begin = ContinuousClock.now
    meter.take(Self.report(0, of: 200_000_000), at: begin)
    meter.take(Self.report(100_000_000, of: 200_000_000), at: begin + .seconds(1))
    meter.take(Self.report(done, of: 200_000_000, phase), at: begin + .seconds(10))
    let report = Self.report(done + 50_000_000, of: 200_000_000, phase)
    meter.take(report, at: begin + .seconds(11))
    let text = meter.text(report, at: begin + .seconds(11))
    #expect(text == ", 50 of 200 MB, 50 MB/s, 3 s left")
  }

  @Test(arguments: [
    (0, "0 s"), (0.2, "1 s"), (59.4, "1 min"), (61, "2 min"), (3600, "1 h 0 min"),
    (1e300, "277777 h 47 min"),
  ])
  func `times are rounded up`(_ seconds: Double, text: String) {
    #expect(TransferMeter.time(seconds) == text)
  }
}
