import Foundation
import Logging

/// Compares what a store says it has with what was sent.
struct StoredImageCheck {
  let record: ImageRecord
  let receipt: Receipt
  let store: String

  /// - Throws: `sizeMismatch` or `hashMismatch`.
  func run(logger: Logger) throws(ImageServiceError) {
    guard record.size == receipt.byteCount else {
      throw ImageServiceError(
        .sizeMismatch,
        reason:
          "\(store) stored \(record.size.map(String.init) ?? "an unknown number of") bytes of "
          + "image \(record.id.path), but \(receipt.byteCount) were sent.",
        remedy: "Send the image again; check that no proxy cuts the transfer.")
    }
    guard record.osHashAlgo?.lowercased() == "sha512", let stored = record.osHashValue else {
      logger.warning(
        "the service keeps no SHA-512, so only the length was compared",
        metadata: [
          "id": "\(record.id.path)",
          "os_hash_algo": "\(AnswerExcerpt.clean(record.osHashAlgo ?? "none", limit: 40))",
        ])
      return
    }
    guard stored.lowercased() == receipt.sha512 else {
      throw ImageServiceError(
        .hashMismatch,
        reason:
          "\(store) stored image \(record.id.path) with SHA-512 "
          + "\(AnswerExcerpt.clean(stored, limit: 16)), but \(receipt.sha512.prefix(15))… was sent.",
        remedy: "Send the image again; check memory and network if it happens twice.")
    }
  }
}
