public import Foundation

/// A disk at its point in time. Every call blocks, and all belong to one thread at a time.
public protocol DiskSource: AnyObject {
  /// The size in bytes.
  var size: UInt64 { get }

  /// The whole disk as extents in ascending order, without gaps; neighbours differ in kind.
  ///
  /// - Throws: `unreadableDisk`, `cancelled`.
  func extents() throws(SnapshotError) -> [Extent]

  /// Says what will be read, in which order, so that it can be read ahead.
  ///
  /// - Parameter runs: ranges of bytes, ascending and apart, none past ``size``.
  func willRead(_ runs: [Range<UInt64>])

  /// Reads bytes.
  ///
  /// - Parameter count: 1 or more bytes, not past ``size``.
  /// - Returns: 1 to `count` bytes: as many as there are at hand without copying.
  /// - Throws: `unreadableDisk`, `cancelled`; never less than what was there.
  func read(at offset: UInt64, count: Int) throws(SnapshotError) -> Data

  /// Gives up everything that was read ahead, and the connection. Reads fail after it.
  func close()
}
