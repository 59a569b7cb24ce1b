internal import Foundation

/// Finds zeros that a source does not know of, by reading it once more.
///
/// A block device, an LVM volume or a fully allocated file is data from end to end to a server that
/// asks the storage for holes, and so is what a guest has overwritten with zeros. The layout of a
/// streamed qcow2 is fixed before its first byte, so zeros met on the way can't be left out any
/// more; they have to be known before. The source is a point in time and reads the same twice, and
/// reading it is several times as fast as sending it: it pays where a sample has enough zeros.
enum ZeroScan {
  /// How many clusters are looked at.
  private static let sampleCount: UInt64 = 128
  /// How long to look: what is not looked at by then is sent as data.
  static let limit = Duration.seconds(600)
  /// Less data than this is sent as soon as it is looked at, in bytes.
  private static let leastData: UInt64 = 32 << 20

  /// Whether at least a quarter of the clusters in a sample hold nothing but zeros.
  ///
  /// - Throws: `unreadableDisk`, `cancelled`.
  static func isWorthwhile(_ runs: DataRuns, of source: any DiskSource) throws(SnapshotError)
    -> Bool
  {
    guard runs.byteCount >= leastData else { return false }
    let sample = clusters(of: runs)
    source.willRead(sample)
    var zeroCount: UInt64 = 0
    for range in sample {
      var isZero = true
      var offset = range.lowerBound
      while offset < range.upperBound {
        let piece = try source.read(at: offset, count: Int(range.upperBound - offset))
        isZero = isZero && piece == Data(count: piece.count)
        offset += UInt64(piece.count)
      }
      if isZero { zeroCount += 1 }
    }
    return zeroCount * 4 >= sampleCount
  }

  /// Clusters in equal steps over all the data.
  private static func clusters(of runs: DataRuns) -> [Range<UInt64>] {
    let step = runs.byteCount / sampleCount
    var sample: [Range<UInt64>] = []
    // Where the next one is, counted over the data from the start of this run.
    var next = step / 2
    for run in runs.ranges {
      let length = run.upperBound - run.lowerBound
      while next < length {
        let start = run.lowerBound + next / DataRuns.clusterSize * DataRuns.clusterSize
        sample.append(start..<min(start + DataRuns.clusterSize, run.upperBound))
        next += step
      }
      next -= length
    }
    return sample
  }

  /// The extents with those clusters of data taken for zeros that are nothing else.
  ///
  /// - Parameters:
  ///   - extents: the source's own; what they call zeros is not read.
  ///   - limit: how long to look.
  ///   - progress: told how many bytes of how many were looked at.
  /// - Throws: `unreadableDisk`, `cancelled`.
  static func refine(
    _ extents: [Extent], of source: any DiskSource, within limit: Duration = limit,
    progress: (UInt64, UInt64) -> Void = { _, _ in }
  ) throws(SnapshotError) -> [Extent] {
    let data = DataRuns(extents, size: source.size)
    let runs = data.ranges
    let end = ContinuousClock.now + limit
    var done: UInt64 = 0
    let zeros = Data(count: Int(DataRuns.clusterSize))
    var list = ExtentList()
    source.willRead(runs)
    for run in runs {
      list.append(.zero, length: run.lowerBound - list.end)
      while list.end < run.upperBound {
        guard ContinuousClock.now < end else {
          list.append(.data, length: run.upperBound - list.end)
          break
        }
        let wanted = min(run.upperBound - list.end, 1 << 20)
        var piece = try source.read(at: list.end, count: Int(wanted))
        done += UInt64(piece.count)
        while !piece.isEmpty {
          let left = DataRuns.clusterSize - list.end % DataRuns.clusterSize
          let cluster = piece.prefix(Int(left))
          // Data compares with memcmp, which stops at the first difference.
          let isZero = cluster == zeros.prefix(cluster.count)
          list.append(isZero ? .zero : .data, length: UInt64(cluster.count))
          piece = piece.dropFirst(cluster.count)
        }
        progress(done, data.byteCount)
      }
    }
    list.append(.zero, length: source.size - list.end)
    return list.extents
  }
}
