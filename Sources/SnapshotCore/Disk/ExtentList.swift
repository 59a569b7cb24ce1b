/// The extents of a disk from its start on, neighbours of one kind merged, in bounded memory.
///
/// A disk can have any number of extents: 16 TiB in alternating clusters would be 2^28 of them.
/// Past the limit the shortest runs of zeros are taken for data, which is right but costs their
/// transfer; how short they are starts at a cluster and doubles until the rest fits.
struct ExtentList {
  /// At most this many are kept, in 6 MiB: on a disk of 1 TiB a hole every 8 MiB.
  static let usualLimit = 1 << 18

  private(set) var extents: [Extent] = []
  /// Zeros shorter than this, in bytes, are taken for data.
  private(set) var shortestZeros: UInt64 = 0
  private let limit: Int

  /// - Parameter limit: 2 or more.
  init(limit: Int = ExtentList.usualLimit) { self.limit = limit }

  /// The offset in bytes where the next extent has to start.
  var end: UInt64 { extents.last?.end ?? 0 }

  /// Appends what follows the last extent; nothing if it is empty.
  mutating func append(_ kind: Extent.Kind, length: UInt64) {
    guard length > 0 else { return }
    if extents.last?.kind != kind {
      // The last one is whole now: only now its length says anything.
      let count = extents.count
      if count > 0 { extents.removeLast(count - compact(from: max(0, count - 2))) }
      while extents.count >= limit {
        shortestZeros = max(shortestZeros * 2, DataRuns.clusterSize)
        extents.removeLast(extents.count - compact(from: 0))
      }
    }
    if let last = extents.indices.last, extents[last].kind == kind {
      extents[last].length += length
    } else {
      extents.append(Extent(start: end, length: length, kind: kind))
    }
  }

  /// Makes data of short zeros and merges neighbours, in place.
  ///
  /// - Returns: how many extents are left, at the front of the array.
  private mutating func compact(from first: Int) -> Int {
    var kept = first
    for index in first..<extents.count {
      var extent = extents[index]
      if extent.kind == .zero, extent.length < shortestZeros { extent.kind = .data }
      if kept > first, extents[kept - 1].kind == extent.kind {
        extents[kept - 1].length += extent.length
      } else {
        extents[kept] = extent
        kept += 1
      }
    }
    return kept
  }
}
