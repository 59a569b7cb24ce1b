import Crypto
import Foundation

/// Counts and hashes the bytes of one pass over a body, and notices a reader that breaks its word.
struct ImageHash {
  private let algorithm: HashAlgorithm
  private var hash: any HashFunction
  private var byteCount: Int64 = 0
  private let expected: Int64?

  init(_ algorithm: HashAlgorithm = .sha512, expected: Int64?) {
    self.algorithm = algorithm
    self.expected = expected
    hash = algorithm.function
  }

  mutating func update(_ data: Data) throws(ImageServiceError) {
    // Taken for the end, an empty read would cut the image short.
    guard !data.isEmpty else {
      throw Self.broken("The reader returned no bytes after byte \(byteCount), and no end.")
    }
    byteCount += Int64(data.count)
    if let expected, byteCount > expected {
      throw Self.broken("The image had more than the announced \(expected) bytes.")
    }
    hash.update(data: data)
  }

  /// - Throws: `bodyFailed` if fewer bytes came than were announced.
  func receipt() throws(ImageServiceError) -> Receipt {
    if let expected, byteCount != expected {
      throw Self.broken("The image ended after \(byteCount) of \(expected) bytes.")
    }
    return Receipt(byteCount: byteCount, hash: Self.digest(hash), algorithm: algorithm)
  }

  private static func digest(_ hash: some HashFunction) -> String { hex(hash.finalize()) }

  private static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func broken(_ reason: String) -> ImageServiceError {
    ImageServiceError(
      .bodyFailed, reason: reason, remedy: "Check that nothing else changes the image.")
  }
}
