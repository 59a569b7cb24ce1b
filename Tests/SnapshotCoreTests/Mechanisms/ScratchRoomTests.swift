import Testing

@testable import SnapshotCore

@Suite struct ScratchRoomTests {
  private static let mebibyte: UInt64 = 1 << 20
  private static let disk: UInt64 = 100 << 30

  /// Looks at a file that grows steadily on a file system that only it fills, as often as asked.
  ///
  /// - Returns: the free bytes when the job is ended.
  private func freeAtEnd(rate: UInt64, free: UInt64) -> UInt64? {
    var room = ScratchRoom(size: Self.disk)
    let begin = ContinuousClock.now
    var now = begin
    while now - begin < .seconds(3600) {
      let written = UInt64(Double(rate) * ((now - begin) / .seconds(1)))
      guard written < free else { return nil }
      guard let pause = room.look(free: free - written, scratch: written, at: now) else {
        return free - written
      }
      now += pause
    }
    return free
  }

  @Test(arguments: [100, 640, 1000, 2000] as [UInt64])
  func `a file that grows fast is stopped a second before the end`(_ megabytes: UInt64) throws {
    let rate = megabytes * 1_000_000
    let free = try #require(freeAtEnd(rate: rate, free: 20 << 30))
    #expect(free >= rate)
    #expect(free <= 3 * max(rate, ScratchRoom.least))
  }

  @Test func `a file that does not grow needs little room and few looks`() {
    var room = ScratchRoom(size: Self.disk)
    let now = ContinuousClock.now
    let pauses = (0..<10).map {
      room.look(free: 10 << 30, scratch: 0, at: now + .seconds($0))
    }
    #expect(pauses == Array(repeating: .seconds(1), count: 10))
    #expect(room.look(free: 65 * Self.mebibyte, scratch: 0, at: now + .seconds(11)) != nil)
    #expect(room.look(free: 63 * Self.mebibyte, scratch: 0, at: now + .seconds(12)) == nil)
  }

  @Test func `one burst is not a rate`() {
    var room = ScratchRoom(size: Self.disk)
    let now = ContinuousClock.now
    _ = room.look(free: 1 << 30, scratch: 0, at: now)
    let burst = 100 * Self.mebibyte
    let pause = room.look(free: 900 * Self.mebibyte, scratch: burst, at: now + .milliseconds(20))
    #expect(pause != nil)
  }

  @Test func `less room than the reserve is enough for what the disk has left`() {
    var room = ScratchRoom(size: 10 * Self.mebibyte)
    let now = ContinuousClock.now
    #expect(room.look(free: 10 * Self.mebibyte, scratch: 0, at: now) != nil)
    #expect(room.look(free: 5 * Self.mebibyte, scratch: 6 * Self.mebibyte, at: now) != nil)
    #expect(room.look(free: 3 * Self.mebibyte, scratch: 6 * Self.mebibyte, at: now) == nil)
  }
}
