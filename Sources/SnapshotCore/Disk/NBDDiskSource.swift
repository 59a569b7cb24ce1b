public import Foundation
public import Libvirt

/// A disk that an NBD server exports: a running guest's backup job, or `qemu-nbd`.
///
/// Reads ahead over one connection. Several connections were not faster: the server's side is one
/// thread, and both sides copy every byte once.
public final class NBDDiskSource: DiskSource {
  /// How much is read ahead. Memory is bounded by the product, and one block more.
  struct Window {
    /// The length of one request in bytes.
    var block: UInt64 = 512 << 10
    /// How many requests are in flight at most.
    var depth = 8
  }

  /// The size in bytes.
  public let size: UInt64

  private let export: NBDExport
  private var client: NBDClient?
  private let window: Window
  private var runs: [Range<UInt64>] = []
  /// The run whose part is to be asked for next, and where in it.
  private var nextRun = 0
  private var nextOffset: UInt64 = 0
  /// Where the oldest read in flight starts.
  private var inFlight: [UInt64] = []
  /// What is left of the block that came last.
  private var block = Data()
  private var blockOffset: UInt64 = 0

  /// Connects.
  ///
  /// - Throws: `unreadableDisk` with the ``NBDError`` as its cause; `cancelled`.
  public convenience init(
    _ export: NBDExport, limits: NBDClient.Limits = .init(), cancellation: NBDCancellation = .init()
  ) throws(SnapshotError) {
    try self.init(export, limits: limits, cancellation: cancellation, window: Window())
  }

  init(
    _ export: NBDExport, limits: NBDClient.Limits, cancellation: NBDCancellation, window: Window
  ) throws(SnapshotError) {
    do {
      let client = try NBDClient(export, limits: limits, cancellation: cancellation)
      size = client.size
      self.client = client
    } catch {
      throw SnapshotError(error)
    }
    self.export = export
    self.window = window
  }

  /// Asks the server in requests of at most 2 GiB; bounded in memory, see ``ExtentList``.
  public func extents() throws(SnapshotError) -> [Extent] {
    let client = try opened()
    var list = ExtentList()
    while list.end < size {
      let count = min(NBDClient.extentRequestLimit, size - list.end)
      do {
        for extent in try client.extents(at: list.end, count: count) {
          list.append(extent.readsAsZeros ? .zero : .data, length: extent.length)
        }
      } catch {
        throw SnapshotError(error)
      }
    }
    return list.extents
  }

  /// Nothing is asked for before the first read.
  public func willRead(_ runs: [Range<UInt64>]) {
    self.runs = runs
    nextRun = 0
    nextOffset = runs.first?.lowerBound ?? 0
  }

  /// Reads in the order announced without a copy; anything else is read, but not ahead.
  public func read(at offset: UInt64, count: Int) throws(SnapshotError) -> Data {
    let client = try opened()
    do {
      if block.isEmpty || blockOffset != offset {
        try awaitBlock(at: offset, count: count, client)
      }
    } catch {
      throw SnapshotError(error)
    }
    let piece = block.prefix(count)
    block = block.dropFirst(count)
    blockOffset += UInt64(piece.count)
    return piece
  }

  /// Closes the connection.
  public func close() {
    client = nil
    block = Data()
    inFlight = []
  }

  private func opened() throws(SnapshotError) -> NBDClient {
    guard let client else {
      throw SnapshotError(
        .unreadableDisk, "\(export) was read after it was closed",
        remedy: "Report this as a fault of the program")
    }
    return client
  }

  private func awaitBlock(at offset: UInt64, count: Int, _ client: NBDClient) throws(NBDError) {
    block = Data()
    if inFlight.isEmpty { try readAhead(client) }
    if inFlight.first != offset {
      while try client.nextRead() != nil {}
      inFlight = []
      willRead([offset..<offset + UInt64(count)])
      try readAhead(client)
    }
    guard let data = try client.nextRead() else { return }
    blockOffset = inFlight.removeFirst()
    block = data
    try readAhead(client)
  }

  /// Fills the window.
  private func readAhead(_ client: NBDClient) throws(NBDError) {
    while inFlight.count < window.depth, nextRun < runs.count {
      let end = runs[nextRun].upperBound
      // Blocks end at multiples of their length: servers like that, and so do page caches.
      let stop = min(end, (nextOffset / window.block + 1) * window.block)
      try client.submitRead(at: nextOffset, count: Int(stop - nextOffset))
      inFlight.append(nextOffset)
      nextOffset = stop
      guard stop == end else { continue }
      nextRun += 1
      if nextRun < runs.count { nextOffset = runs[nextRun].lowerBound }
    }
  }
}

extension SnapshotError {
  /// Makes one of a failed read of a disk.
  init(_ error: NBDError) {
    if error.isCancellation {
      self = .cancelled
      return
    }
    self.init(
      .unreadableDisk, "the disk could not be read: \(error)",
      remedy: "Check that the guest, its QEMU and its storage still run, then try again",
      cause: error)
  }
}
