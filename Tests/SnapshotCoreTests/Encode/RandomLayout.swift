@testable import SnapshotCore

/// A disk of random size with random data, from a seed: mostly small, with edges where images have
/// theirs.
struct RandomLayout {
  let size: UInt64
  let data: [Range<UInt64>]
  let pieceLimit: Int
  let readLimit: Int

  init(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    size = RandomLayout.size(seed, &generator)
    var data: [Range<UInt64>] = []
    for _ in 0..<Int.random(in: 0...24, using: &generator) {
      let start = RandomLayout.offset(below: size, &generator)
      let longest = RandomLayout.pick(from: [1, 512, 65_536, 200_000], &generator)
      let length = UInt64.random(in: 1...longest, using: &generator)
      data.append(start..<min(size, start + length))
    }
    if seed % 5 == 0 { data.append(size - 1..<size) }
    if seed % 7 == 0, size < 1 << 22 { data = [0..<size] }
    self.data = RandomLayout.merged(data)
    pieceLimit = Int.random(in: 1...300_000, using: &generator)
    readLimit = Int.random(in: 4096...1 << 20, using: &generator)
  }

  private static func size(_ seed: UInt64, _ generator: inout SeededGenerator) -> UInt64 {
    let sector = 512 * UInt64.random(in: 0...300, using: &generator)
    return switch seed % 8 {
    case 0: pick(from: [1, 511, 512, 513, 65_535, 65_536, 65_537], &generator)
    case 1: UInt64.random(in: 1...64, using: &generator) << 16
    case 2: UInt64.random(in: 2...15, using: &generator) << 40 + sector
    case 3: UInt64.random(in: 1...8, using: &generator) << 29 + sector - 76_800
    case 4: UInt64.random(in: 1...1 << 23, using: &generator)
    default: UInt64.random(in: 1...1 << 14, using: &generator) * 512
    }
  }

  private static func pick(from values: [UInt64], _ generator: inout SeededGenerator) -> UInt64 {
    values[Int.random(in: 0..<values.count, using: &generator)]
  }

  /// Any offset, or one at or next to an edge.
  private static func offset(below size: UInt64, _ generator: inout SeededGenerator) -> UInt64 {
    let any = UInt64.random(in: 0..<size, using: &generator)
    guard Bool.random(using: &generator) else { return any }
    let edge = pick(from: [512, 4096, 65_536, 1 << 29], &generator)
    let near = any / edge * edge + UInt64.random(in: 0...2, using: &generator)
    return near > 0 && near <= size ? near - 1 : any
  }

  private static func merged(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    var merged: [Range<UInt64>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = merged.last, range.lowerBound <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    return merged
  }
}
