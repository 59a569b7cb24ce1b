internal import Foundation

/// Makes the clusters of a qcow2 file that come before its data, one after the other.
///
/// Nothing but the layout is kept: the tables of a full disk of 16 TiB are 2.5 GiB.
struct Qcow2Metadata {
  /// L1 and L2 entries: the cluster is used once, so that QEMU may write to it in place.
  private static let usedOnce: UInt64 = 1 << 63

  private let layout: Qcow2Layout
  /// The cluster to make next.
  private var cluster: UInt64 = 0
  /// The first run that has clusters in the L2 table to make next.
  private var run = 0
  /// Which of the data clusters that table's first entry is.
  private var dataCluster: UInt64

  init(_ layout: Qcow2Layout) {
    self.layout = layout
    dataCluster = layout.dataStart
  }

  /// The next cluster; nil when the data begins.
  mutating func next() -> Data? {
    guard cluster < layout.dataStart else { return nil }
    defer { cluster += 1 }
    switch cluster {
    case 0: return header()
    case ..<layout.refcountBlocksStart:
      return refcountTable(part: cluster - layout.refcountTableStart)
    case ..<layout.l1Start: return refcountBlock(cluster - layout.refcountBlocksStart)
    case ..<layout.l2Start: return l1Table(part: cluster - layout.l1Start)
    default: return l2Table(layout.tables[Int(cluster - layout.l2Start)])
    }
  }

  private func header() -> Data {
    var cluster = BigEndianCluster()
    cluster.put(UInt32(0x5146_49FB), at: 0)  // "QFI", 0xFB
    cluster.put(UInt32(3), at: 4)
    cluster.put(UInt32(Qcow2Layout.clusterBits), at: 20)
    cluster.put(layout.virtualSize, at: 24)
    cluster.put(UInt32(layout.l1Entries), at: 36)
    cluster.put(offset(layout.l1Start), at: 40)
    cluster.put(offset(layout.refcountTableStart), at: 48)
    cluster.put(UInt32(layout.refcountTableClusters), at: 56)
    cluster.put(UInt32(4), at: 96)  // refcounts have 2^4 bits
    cluster.put(UInt32(104), at: 100)  // the header's length; zeros after it end the extensions
    return cluster.data
  }

  private func refcountTable(part: UInt64) -> Data {
    var cluster = BigEndianCluster()
    let first = part * Qcow2Layout.tableEntries
    let count = min(Qcow2Layout.tableEntries, layout.refcountBlocks - first)
    for entry in 0..<count {
      cluster.put(offset(layout.refcountBlocksStart + first + entry), at: Int(entry * 8))
    }
    return cluster.data
  }

  private func refcountBlock(_ block: UInt64) -> Data {
    let first = block * Qcow2Layout.refcountEntries
    let count = min(Qcow2Layout.refcountEntries, layout.clusterCount - first)
    guard count < Qcow2Layout.refcountEntries else { return Qcow2Metadata.fullRefcountBlock }
    return Qcow2Metadata.fullRefcountBlock.prefix(Int(count) * 2)
      + Data(count: Int(Qcow2Layout.refcountEntries - count) * 2)
  }

  private static let fullRefcountBlock: Data = {
    var cluster = BigEndianCluster()
    for entry in 0..<Int(Qcow2Layout.refcountEntries) { cluster.bytes[entry * 2 + 1] = 1 }
    return cluster.data
  }()

  private func l1Table(part: UInt64) -> Data {
    var cluster = BigEndianCluster()
    let range = part * Qcow2Layout.tableEntries..<(part + 1) * Qcow2Layout.tableEntries
    for (index, table) in layout.tables.enumerated() where range.contains(UInt64(table)) {
      cluster.put(
        offset(layout.l2Start + UInt64(index)) | Qcow2Metadata.usedOnce,
        at: Int(UInt64(table) - range.lowerBound) * 8)
    }
    return cluster.data
  }

  private mutating func l2Table(_ table: UInt32) -> Data {
    var cluster = BigEndianCluster()
    let start = UInt64(table) * Qcow2Layout.tableSpan
    let runs = layout.runs.ranges
    while run < runs.count, runs[run].lowerBound < start + Qcow2Layout.tableSpan {
      let first = max(runs[run].lowerBound, start) - start
      let end = min(runs[run].upperBound - start, Qcow2Layout.tableSpan)
      for entry in first / Qcow2Layout.clusterSize..<end.dividedUp(by: Qcow2Layout.clusterSize) {
        cluster.put(offset(dataCluster) | Qcow2Metadata.usedOnce, at: Int(entry * 8))
        dataCluster += 1
      }
      // The next table goes on with a run that reaches into it.
      if runs[run].upperBound - start > Qcow2Layout.tableSpan { break }
      run += 1
    }
    return cluster.data
  }

  private func offset(_ cluster: UInt64) -> UInt64 { cluster * Qcow2Layout.clusterSize }
}

/// A cluster of big-endian numbers.
private struct BigEndianCluster {
  var bytes = [UInt8](repeating: 0, count: Int(Qcow2Layout.clusterSize))

  var data: Data { Data(bytes) }

  mutating func put(_ value: UInt32, at offset: Int) {
    for index in 0..<4 {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (24 - 8 * index))
    }
  }

  mutating func put(_ value: UInt64, at offset: Int) {
    for index in 0..<8 {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (56 - 8 * index))
    }
  }
}
