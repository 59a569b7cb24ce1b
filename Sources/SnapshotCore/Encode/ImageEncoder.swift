internal import Foundation

/// Turns a disk into an image, pulled block by block.
protocol ImageEncoder {
  /// The exact length of the image in bytes.
  var byteCount: Int64 { get }

  /// The next bytes of the image.
  ///
  /// - Parameter limit: 1 or more.
  /// - Returns: 1 to `limit` bytes; nil at the end.
  /// - Throws: `unreadableDisk`, `cancelled`.
  mutating func next(upTo limit: Int) throws(SnapshotError) -> Data?
}

/// Zeros to hand out without making them: every block is a slice of one.
enum Zeros {
  private static let block = Data(count: 1 << 20)

  /// 1 to `limit` zeros, as many as fit into `length` bytes.
  static func block(_ length: UInt64, upTo limit: Int) -> Data {
    block.prefix(Int(min(length, UInt64(limit))))
  }
}
