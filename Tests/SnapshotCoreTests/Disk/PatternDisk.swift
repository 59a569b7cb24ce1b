import Foundation

@testable import SnapshotCore

/// A disk whose data follows a pattern: of any size, and without memory for it.
///
/// The pattern's period is no multiple of anything an image is laid out in, so that swapped or
/// shifted clusters are seen.
final class PatternDisk: DiskSource {
  static let period = 1_000_003
  private static let pattern: Data = {
    var generator = SeededGenerator(seed: 1)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(period)
    // No zero among them: data that looks like a hole would hide a fault.
    for _ in 0..<period { bytes.append(UInt8.random(in: 1...255, using: &generator)) }
    return Data(bytes)
  }()

  let size: UInt64
  /// What is data, ascending and apart.
  let data: [Range<UInt64>]
  /// What is reported; by default what is data and what is not.
  var reported: [Extent]?
  /// Reads give at most this many bytes.
  var pieceLimit = 1 << 20
  private(set) var readByteCount: UInt64 = 0
  private(set) var announced: [Range<UInt64>] = []
  private(set) var isClosed = false

  init(size: UInt64, data: [Range<UInt64>]) {
    self.size = size
    self.data = data
  }

  func extents() throws(SnapshotError) -> [Extent] {
    if let reported { return reported }
    var list = ExtentList()
    for range in data {
      list.append(.zero, length: range.lowerBound - list.end)
      list.append(.data, length: range.upperBound - range.lowerBound)
    }
    list.append(.zero, length: size - list.end)
    return list.extents
  }

  func willRead(_ runs: [Range<UInt64>]) { announced = runs }

  func read(at offset: UInt64, count: Int) throws(SnapshotError) -> Data {
    precondition(!isClosed && count > 0 && offset + UInt64(count) <= size)
    let wanted = min(count, pieceLimit)
    // The first range that ends after the offset.
    var low = 0
    var high = data.count
    while low < high {
      let middle = (low + high) / 2
      if data[middle].upperBound > offset { high = middle } else { low = middle + 1 }
    }
    let piece: Data
    if low == data.count {
      piece = Data(count: wanted)
    } else if offset < data[low].lowerBound {
      piece = Data(count: Int(min(UInt64(wanted), data[low].lowerBound - offset)))
    } else {
      let rest = Int(min(UInt64(wanted), data[low].upperBound - offset))
      piece = PatternDisk.bytes(at: offset, upTo: rest)
    }
    readByteCount += UInt64(piece.count)
    return piece
  }

  func close() { isClosed = true }

  /// Writes the disk to a sparse raw file.
  func write(to path: String) throws {
    try Data().write(to: URL(filePath: path))
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.truncate(atOffset: size)
    for range in data {
      var offset = range.lowerBound
      while offset < range.upperBound {
        let piece = PatternDisk.bytes(at: offset, upTo: Int(range.upperBound - offset))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: piece)
        offset += UInt64(piece.count)
      }
    }
    try file.close()
  }

  private static func bytes(at offset: UInt64, upTo count: Int) -> Data {
    pattern.dropFirst(Int(offset % UInt64(period))).prefix(count)
  }
}
