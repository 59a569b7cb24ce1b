/// A range of bytes and what the server's `base:allocation` context says of it.
public struct NBDExtent: Equatable, Sendable {
  /// The offset in bytes of its first byte.
  public let start: UInt64
  /// Its length in bytes; never 0.
  public let length: UInt64
  /// Whether it is known to read as zeros (`NBD_STATE_ZERO`).
  ///
  /// A hole that is not marked so may read as anything and has to be read.
  public let readsAsZeros: Bool

  /// Makes an extent.
  public init(start: UInt64, length: UInt64, readsAsZeros: Bool) {
    self.start = start
    self.length = length
    self.readsAsZeros = readsAsZeros
  }
}
