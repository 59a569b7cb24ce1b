internal import Foundation

/// Streams the disk as it is, of full length. Zeros are made here, not read.
struct RawEncoder: ImageEncoder {
  private let source: any DiskSource
  private let size: UInt64
  private let runs: [Range<UInt64>]
  private var nextRun = 0
  private var offset: UInt64 = 0

  var byteCount: Int64 { Int64(size) }

  init(_ source: any DiskSource, runs: DataRuns) {
    self.source = source
    size = source.size
    self.runs = runs.ranges
    source.willRead(runs.ranges)
  }

  mutating func next(upTo limit: Int) throws(SnapshotError) -> Data? {
    guard offset < size else { return nil }
    if nextRun < runs.count, offset == runs[nextRun].upperBound { nextRun += 1 }
    let run = nextRun < runs.count ? runs[nextRun] : size..<size
    let piece: Data
    if offset < run.lowerBound {
      piece = Zeros.block(run.lowerBound - offset, upTo: limit)
    } else {
      let count = min(run.upperBound - offset, UInt64(limit))
      piece = try source.read(at: offset, count: Int(count))
    }
    offset += UInt64(piece.count)
    return piece
  }
}
