/// A range of a disk's bytes that is data, or is known to read as zeros.
public struct Extent: Equatable, Sendable {
  /// What the range holds.
  public enum Kind: Sendable {
    /// Bytes that have to be read.
    case data
    /// Zeros, written or never written.
    case zero
  }

  /// The offset in bytes of its first byte.
  public var start: UInt64
  /// Its length in bytes.
  public var length: UInt64
  /// What it holds.
  public var kind: Kind

  /// Makes an extent.
  public init(start: UInt64, length: UInt64, kind: Kind) {
    self.start = start
    self.length = length
    self.kind = kind
  }

  /// The offset in bytes of the first byte after it.
  public var end: UInt64 { start + length }
}
