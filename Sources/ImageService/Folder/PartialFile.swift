import Foundation
import Glibc
import SystemPackage

/// A file that is written under a name of its own and only then published.
struct PartialFile {
  private static let zeros = Data(count: BodyPump.chunkSize)

  let path: String

  /// Writes the whole body and flushes it to the disk.
  ///
  /// - Throws: `fileExists`, `noSpace`, `writeFailed`, `bodyFailed`, `cancelled`.
  func write(
    _ body: any ImageBody, progress: @escaping @Sendable (Int64) -> Void,
    cancellation: DiskThread.Cancellation
  ) throws(ImageServiceError) -> Receipt {
    // Exclusive, and no links followed: nobody can have put something else in the way.
    let file: FileDescriptor
    do {
      file = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
        permissions: .ownerReadWrite)
    } catch {
      throw DiskFailure(error, doing: "could not be created", path: path).error
    }
    defer { try? file.close() }
    let receipt = try copy(body, to: file, progress: progress, cancellation: cancellation)
    try flush(file)
    return receipt
  }

  /// Copies the body to an open file; reading and hashing go on while it is written.
  func copy(
    _ body: any ImageBody, to file: FileDescriptor, progress: @escaping @Sendable (Int64) -> Void,
    cancellation: DiskThread.Cancellation
  ) throws(ImageServiceError) -> Receipt {
    let pump = BodyPump(body: body, progress: progress)
    pump.start()
    // The caller may take the disk away once this returns, so no read may be under way then.
    defer {
      pump.stop()
      pump.waitForProducer()
    }
    var written: Int64 = 0
    while true {
      guard !cancellation.isCancelled else {
        throw ImageServiceError(
          .cancelled, reason: "Writing \(path) was cancelled after \(written) bytes.",
          remedy: "Start again when you are ready.")
      }
      switch pump.take(upTo: BodyPump.chunkSize) {
      case .bytes(let data):
        do {
          try append(data, to: file)
        } catch {
          throw DiskFailure(
            error, doing: "could not be written", path: path, written: written,
            needed: body.dataByteCount
          ).error
        }
        written += Int64(data.count)
      case .end:
        return try finished(file, pump.receipt, written: written)
      case .failed:
        throw unread(pump.failure, written: written)
      }
    }
  }

  private func finished(_ file: FileDescriptor, _ receipt: Receipt?, written: Int64)
    throws(ImageServiceError) -> Receipt
  {
    guard let receipt, receipt.byteCount == written else {
      throw unread(nil, written: written)
    }
    do {
      // What ends in a hole has its length only now.
      try file.resize(to: receipt.byteCount)
    } catch {
      throw DiskFailure(error, doing: "could not be given its length", path: path).error
    }
    return receipt
  }

  private func unread(_ error: (any Error)?, written: Int64) -> ImageServiceError {
    if let error = error as? ImageServiceError { return error }
    return ImageServiceError(
      .bodyFailed,
      reason: "The image could not be read after \(written) bytes; \(path) is incomplete.",
      remedy: "Look at the error below this one: it comes from the disk being read.",
      cause: error)
  }

  /// Writes bytes, or leaves a hole where they are nothing but zeros.
  private func append(_ data: Data, to file: FileDescriptor) throws {
    if data.count <= PartialFile.zeros.count, data == PartialFile.zeros.prefix(data.count) {
      try file.seek(offset: Int64(data.count), from: .current)
    } else {
      try file.writeAll(data)
    }
  }

  private func flush(_ file: FileDescriptor) throws(ImageServiceError) {
    guard fsync(file.rawValue) == 0 else {
      throw DiskFailure(
        Errno(rawValue: errno), doing: "could not be flushed to the disk", path: path
      ).error
    }
  }
}
