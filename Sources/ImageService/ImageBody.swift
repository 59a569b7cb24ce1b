public import Foundation

/// The bytes of an image, opened again for each attempt to send them.
public protocol ImageBody: Sendable {
  /// The exact length in bytes, where it is known beforehand.
  var byteCount: Int64? { get }
  /// At most how many of these bytes are not zero, where that is known beforehand: what a file with
  /// holes takes. By default all.
  var dataByteCount: Int64? { get }

  /// Opens the body at its first byte. Called on the thread that will read.
  func makeReader() throws -> any ImageBodyReader
}

extension ImageBody {
  /// All bytes.
  public var dataByteCount: Int64? { byteCount }
}

/// One pass over the bytes of an image. Made, read and closed on one thread.
public protocol ImageBodyReader: AnyObject {
  /// Blocks until there are bytes.
  ///
  /// - Returns: 1 to `limit` bytes, or nil at the end.
  /// - Throws: anything; the transfer is aborted then, never ended as if it were complete.
  func read(upTo limit: Int) throws -> Data?

  /// Called once, after the last read, whatever happened.
  func close()
}
