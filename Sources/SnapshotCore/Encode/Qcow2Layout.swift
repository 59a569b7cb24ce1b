/// Where everything is in a streamed qcow2 file, known before its first byte.
///
/// A plain file of version 3: no backing file, no snapshots, no feature bits, clusters of 64 KiB,
/// refcounts of 16 bits. In this order: header, refcount table, refcount blocks, L1 table, the L2
/// tables that have entries, the clusters with data in the guest's order. Every cluster of the file
/// is used once, so every refcount is 1; zeros are not allocated and take no space.
///
/// Source: QEMU, docs/interop/qcow2.txt.
struct Qcow2Layout: Sendable {
  static let clusterBits: UInt64 = 16
  static let clusterSize = DataRuns.clusterSize
  /// Entries of 8 bytes in a cluster: of the refcount table, of L1 and of L2 tables.
  static let tableEntries = clusterSize / 8
  /// Entries of 2 bytes in a cluster: of a refcount block.
  static let refcountEntries = clusterSize / 2
  /// How much of the disk one L2 table describes: 512 MiB.
  static let tableSpan = tableEntries * clusterSize

  /// The disk's size in bytes.
  let diskSize: UInt64
  let runs: DataRuns
  /// Which L2 tables have entries, ascending: at most 32768 for a disk of 16 TiB.
  let tables: [UInt32]
  /// Lengths in clusters.
  let refcountTableClusters: UInt64
  let refcountBlocks: UInt64
  let l1Clusters: UInt64

  init(_ runs: DataRuns, diskSize: UInt64) {
    self.diskSize = diskSize
    self.runs = runs
    var tables: [UInt32] = []
    for run in runs.ranges {
      let first = UInt32(run.lowerBound / Qcow2Layout.tableSpan)
      let last = UInt32((run.upperBound - 1) / Qcow2Layout.tableSpan)
      // Two runs may share a table.
      let isKnown = tables.last == first
      if isKnown && first == last { continue }
      tables += (isKnown ? first + 1 : first)...last
    }
    self.tables = tables
    let entries = (diskSize + Qcow2Layout.tableSpan - 1) / Qcow2Layout.tableSpan
    l1Clusters = max(1, entries.dividedUp(by: Qcow2Layout.tableEntries))
    // Refcounts count themselves: add until they cover everything.
    let counted = 1 + l1Clusters + UInt64(tables.count) + runs.clusterCount
    var blocks: UInt64 = 0
    var table: UInt64 = 0
    while true {
      let needed = (counted + blocks + table).dividedUp(by: Qcow2Layout.refcountEntries)
      if needed == blocks { break }
      blocks = needed
      table = blocks.dividedUp(by: Qcow2Layout.tableEntries)
    }
    refcountBlocks = blocks
    refcountTableClusters = table
  }

  /// What the guest sees. QEMU counts disks in sectors of 512 bytes and would cut off the rest.
  var virtualSize: UInt64 { diskSize.dividedUp(by: 512) * 512 }
  /// The length of the L1 table in entries.
  var l1Entries: UInt64 { virtualSize.dividedUp(by: Qcow2Layout.tableSpan) }

  // First clusters of the parts, counted from the start of the file.
  var refcountTableStart: UInt64 { 1 }
  var refcountBlocksStart: UInt64 { refcountTableStart + refcountTableClusters }
  var l1Start: UInt64 { refcountBlocksStart + refcountBlocks }
  var l2Start: UInt64 { l1Start + l1Clusters }
  var dataStart: UInt64 { l2Start + UInt64(tables.count) }
  var clusterCount: UInt64 { dataStart + runs.clusterCount }

  /// The length of the file in bytes.
  var byteCount: Int64 { Int64(clusterCount * Qcow2Layout.clusterSize) }
}

extension UInt64 {
  /// The quotient, rounded up; for numbers far from overflowing.
  func dividedUp(by divisor: UInt64) -> UInt64 { (self + divisor - 1) / divisor }
}
