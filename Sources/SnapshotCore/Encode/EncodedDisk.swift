public import Foundation

/// An image of a disk that exists only while it is read, as often as needed.
///
/// The source is opened once to learn its extents and lay the image out, then once for each reader:
/// a point in time gives the same bytes each time, so a transfer that failed starts again with
/// ``makeReader()`` and the length stays what it was.
public final class EncodedDisk: Sendable {
  /// What a streamed image can be.
  public enum Format: Sendable {
    /// The disk as it is, of full length.
    case raw
    /// qcow2 of version 3, flat; zeros take no space.
    case qcow2
  }

  /// The exact length of the image in bytes.
  public let byteCount: Int64
  /// How much of the disk is read for it, in bytes; the rest is known to be zeros.
  public var readByteCount: UInt64 { runs.byteCount }
  /// How much of the image may be other than zeros, in bytes.
  public var dataByteCount: Int64 { layout == nil ? Int64(runs.byteCount) : byteCount }
  /// The disk's size in bytes.
  public let diskSize: UInt64

  private let format: Format
  private let runs: DataRuns
  private let layout: Qcow2Layout?
  private let open: @Sendable () throws(SnapshotError) -> any DiskSource

  /// Opens the source, reads its extents (for qcow2 also looking for zeros among the data, see
  /// ``ZeroScan``), and closes it. Blocks.
  ///
  /// - Parameters:
  ///   - looksForZeros: whether time may be spent on that, which a guest that is down would pay.
  ///   - progress: told how many bytes of how many were looked at for zeros.
  ///   - open: opens the point in time; called here, and on the thread of each reader.
  /// - Throws: what `open` throws; `unreadableDisk`, `cancelled`.
  public init(
    _ format: Format, looksForZeros: Bool = true,
    progress: (UInt64, UInt64) -> Void = { _, _ in },
    from open: @escaping @Sendable () throws(SnapshotError) -> any DiskSource
  ) throws(SnapshotError) {
    let source = try open()
    defer { source.close() }
    let extents = try source.extents()
    var runs = DataRuns(extents, size: source.size)
    if format == .qcow2, looksForZeros, try ZeroScan.isWorthwhile(runs, of: source) {
      runs = DataRuns(
        try ZeroScan.refine(extents, of: source, progress: progress), size: source.size)
    }
    self.runs = runs
    diskSize = source.size
    layout = format == .qcow2 ? Qcow2Layout(runs, diskSize: source.size) : nil
    byteCount = layout?.byteCount ?? Int64(source.size)
    self.format = format
    self.open = open
  }

  /// Opens the image at its first byte. Call it on the thread that will read.
  ///
  /// - Throws: what opening the source throws; `unreadableDisk` where it has another size now.
  public func makeReader() throws(SnapshotError) -> EncodedDiskReader {
    let source = try open()
    guard source.size == diskSize else {
      source.close()
      throw SnapshotError(
        .unreadableDisk,
        "the disk had \(diskSize) bytes when it was opened first and has \(source.size) now",
        remedy: "Check that nothing else changes the disk, then try again")
    }
    let encoder: any ImageEncoder =
      if let layout {
        Qcow2Encoder(source, layout: layout)
      } else {
        RawEncoder(source, runs: runs)
      }
    return EncodedDiskReader(source, encoder)
  }
}

/// One pass over an encoded disk. Made, read and closed on one thread.
public final class EncodedDiskReader {
  private let source: any DiskSource
  private var encoder: any ImageEncoder
  private var produced: Int64 = 0

  init(_ source: any DiskSource, _ encoder: any ImageEncoder) {
    self.source = source
    self.encoder = encoder
  }

  /// Blocks until there are bytes.
  ///
  /// - Parameter limit: 1 or more bytes; 1 MiB is a good one.
  /// - Returns: 1 to `limit` bytes, as many as there are at hand without copying; nil at the end.
  /// - Throws: `unreadableDisk`, `cancelled`; an image that ends early is never taken for whole.
  public func read(upTo limit: Int) throws(SnapshotError) -> Data? {
    let piece = try encoder.next(upTo: limit)
    produced += Int64(piece?.count ?? 0)
    guard piece != nil || produced == encoder.byteCount else {
      throw SnapshotError(
        .unreadableDisk, "the image ended after \(produced) of \(encoder.byteCount) bytes",
        remedy: "Report this as a fault of the program")
    }
    return piece
  }

  /// Closes the source.
  public func close() { source.close() }
}
