import Foundation
import Logging

/// Compares what a store says it has with what was sent.
struct StoredImageCheck {
  let record: ImageRecord
  let receipt: Receipt
  /// Read once more if the store hashes with another algorithm than was counted on.
  let body: any ImageBody
  let store: String

  /// - Throws: `sizeMismatch` or `hashMismatch`; `bodyFailed` if the body cannot be read again.
  func run(logger: Logger) async throws(ImageServiceError) {
    guard record.size == receipt.byteCount else {
      throw ImageServiceError(
        .sizeMismatch,
        reason:
          "\(store) stored \(record.size.map(String.init) ?? "an unknown number of") bytes of "
          + "image \(record.id.path), but \(receipt.byteCount) were sent.",
        remedy: "Send the image again; check that no proxy cuts the transfer.")
    }
    if let algorithm = HashAlgorithm(service: record.osHashAlgo), let stored = record.osHashValue {
      return try await compare(stored, by: algorithm, logger)
    }
    if let checksum = record.checksum {
      return try await compare(checksum, by: .md5, logger)
    }
    let named = record.osHashAlgo.map { AnswerExcerpt.clean($0, limit: 40) } ?? "none"
    logger.warning(
      """
      only the length of image \(record.id.path) was verified: \(store) gives no hash that can be \
      computed here (os_hash_algo: \(named))
      """)
  }

  private func compare(
    _ stored: String, by algorithm: HashAlgorithm, _ logger: Logger
  ) async throws(ImageServiceError) {
    let sent: String
    if algorithm == receipt.algorithm {
      sent = receipt.hash
    } else {
      logger.info("\(store) uses \(algorithm.title); reading the image again to compute it")
      sent = try await secondHash(algorithm)
    }
    guard stored.lowercased() == sent else {
      throw ImageServiceError(
        .hashMismatch,
        reason:
          "\(store) stored image \(record.id.path) with \(algorithm.title) "
          + "\(AnswerExcerpt.clean(stored, limit: 16)), but \(sent.prefix(15))… was sent.",
        remedy: "Send the image again; check memory and network if it happens twice.")
    }
  }

  private func secondHash(_ algorithm: HashAlgorithm) async throws(ImageServiceError) -> String {
    let (body, id) = (body, record.id.path)
    return try await DiskThread.run { cancellation throws(ImageServiceError) in
      do {
        let reader = try body.makeReader()
        defer { reader.close() }
        var hash = ImageHash(algorithm, expected: body.byteCount)
        while let data = try reader.read(upTo: BodyPump.chunkSize) {
          guard !cancellation.isCancelled else {
            throw ImageServiceError(
              .cancelled, reason: "Verifying image \(id) was cancelled.",
              remedy: "Start again when you are ready.")
          }
          try hash.update(data)
        }
        return try hash.receipt().hash
      } catch let error as ImageServiceError {
        throw error
      } catch {
        throw ImageServiceError(
          .bodyFailed,
          reason: "The image could not be read once more to verify image \(id).",
          remedy: "Check the disk for read errors.", cause: error)
      }
    }
  }
}
