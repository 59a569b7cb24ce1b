/// The parts of a disk that have to be read, in whole clusters.
///
/// Images are laid out in clusters, and zeros within a cluster cost less to read than to leave out:
/// so this is what both encoders read, whatever smaller extents the source has.
struct DataRuns: Sendable, Equatable {
  /// 64 KiB: QEMU's default for qcow2.
  static let clusterSize: UInt64 = 1 << 16

  /// Ranges of bytes, ascending and apart. Each starts at a cluster; the end of the last is cut to
  /// the disk's size.
  let ranges: [Range<UInt64>]
  /// How many clusters they touch.
  let clusterCount: UInt64

  /// - Parameter extents: in ascending order.
  init(_ extents: [Extent], size: UInt64) {
    let mask = DataRuns.clusterSize - 1
    var ranges: [Range<UInt64>] = []
    for extent in extents where extent.kind == .data && extent.length > 0 {
      let start = extent.start & ~mask
      // Not by adding first: the last cluster of a disk of nearly 2^64 bytes would overflow.
      let rest = extent.end & mask
      let end = rest == 0 ? extent.end : min(size, extent.end - rest + mask + 1)
      if let last = ranges.last, last.upperBound >= start {
        ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, end)
      } else {
        ranges.append(start..<end)
      }
    }
    self.ranges = ranges
    clusterCount = ranges.reduce(0) { sum, range in
      sum + (range.upperBound - range.lowerBound + mask) / DataRuns.clusterSize
    }
  }

  /// How many bytes they are.
  var byteCount: UInt64 { ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) } }
}
