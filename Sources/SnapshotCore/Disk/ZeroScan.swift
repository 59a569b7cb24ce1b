internal import Foundation

/// Finds zeros that a source does not know of, by reading it once.
///
/// A block device, an LVM volume or a fully allocated file is data from end to end to a server that
/// asks the storage for holes. The layout of a streamed qcow2 is fixed before its first byte, so
/// zeros met on the way can't be left out any more; they have to be known before. The source is a
/// point in time and reads the same twice, and reading it is several times as fast as sending it.
enum ZeroScan {
  /// Whether a scan can pay: the source reports nothing but data.
  static func isWorthwhile(_ extents: [Extent]) -> Bool {
    extents.count == 1 && extents[0].kind == .data
  }

  /// The extents with those clusters of data taken for zeros that are nothing else.
  ///
  /// - Parameter extents: the source's own; what they call zeros is not read.
  /// - Throws: `unreadableDisk`, `cancelled`.
  static func refine(_ extents: [Extent], of source: any DiskSource) throws(SnapshotError)
    -> [Extent]
  {
    let runs = DataRuns(extents, size: source.size).ranges
    let zeros = Data(count: Int(DataRuns.clusterSize))
    var list = ExtentList()
    source.willRead(runs)
    for run in runs {
      list.append(.zero, length: run.lowerBound - list.end)
      while list.end < run.upperBound {
        let wanted = min(run.upperBound - list.end, 1 << 20)
        var piece = try source.read(at: list.end, count: Int(wanted))
        while !piece.isEmpty {
          let left = DataRuns.clusterSize - list.end % DataRuns.clusterSize
          let cluster = piece.prefix(Int(left))
          // Data compares with memcmp, which stops at the first difference.
          let isZero = cluster == zeros.prefix(cluster.count)
          list.append(isZero ? .zero : .data, length: UInt64(cluster.count))
          piece = piece.dropFirst(cluster.count)
        }
      }
    }
    list.append(.zero, length: source.size - list.end)
    return list.extents
  }
}
