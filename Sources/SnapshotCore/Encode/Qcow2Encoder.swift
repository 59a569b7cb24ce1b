internal import Foundation

/// Streams the disk as a plain qcow2 file, see ``Qcow2Layout``.
struct Qcow2Encoder: ImageEncoder {
  private let source: any DiskSource
  private let layout: Qcow2Layout
  private var metadata: Qcow2Metadata
  /// What is left of the cluster of metadata made last.
  private var cluster = Data()
  private var run = 0
  private var offset: UInt64
  /// What the last cluster lacks, where the disk ends within it.
  private var padding: UInt64

  var byteCount: Int64 { layout.byteCount }

  init(_ source: any DiskSource, layout: Qcow2Layout) {
    self.source = source
    self.layout = layout
    metadata = Qcow2Metadata(layout)
    let runs = layout.runs
    offset = runs.ranges.first?.lowerBound ?? 0
    padding = runs.clusterCount * Qcow2Layout.clusterSize - runs.byteCount
    source.willRead(runs.ranges)
  }

  mutating func next(upTo limit: Int) throws(SnapshotError) -> Data? {
    if cluster.isEmpty, let made = metadata.next() { cluster = made }
    if !cluster.isEmpty {
      defer { cluster = cluster.dropFirst(limit) }
      return cluster.prefix(limit)
    }
    return try nextData(upTo: limit)
  }

  private mutating func nextData(upTo limit: Int) throws(SnapshotError) -> Data? {
    let runs = layout.runs.ranges
    guard run < runs.count else {
      guard padding > 0 else { return nil }
      let piece = Zeros.block(padding, upTo: limit)
      padding -= UInt64(piece.count)
      return piece
    }
    let count = min(runs[run].upperBound - offset, UInt64(limit))
    let piece = try source.read(at: offset, count: Int(count))
    offset += UInt64(piece.count)
    if offset == runs[run].upperBound {
      run += 1
      if run < runs.count { offset = runs[run].lowerBound }
    }
    return piece
  }
}
