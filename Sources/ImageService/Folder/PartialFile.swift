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
    _ body: any ImageBody, progress: @Sendable (Int64) -> Void,
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

  /// Copies the body to an open file and hashes it on the way.
  func copy(
    _ body: any ImageBody, to file: FileDescriptor, progress: @Sendable (Int64) -> Void,
    cancellation: DiskThread.Cancellation
  ) throws(ImageServiceError) -> Receipt {
    var written: Int64 = 0
    func failed(_ error: any Error) -> ImageServiceError {
      if let error = error as? ImageServiceError { return error }
      return ImageServiceError(
        .bodyFailed,
        reason: "The image could not be read after \(written) bytes; \(path) is incomplete.",
        remedy: "Look at the error below this one: it comes from the disk being read.",
        cause: error)
    }
    do {
      let reader = try body.makeReader()
      defer { reader.close() }
      var hash = ImageHash(expected: body.byteCount)
      while let data = try reader.read(upTo: BodyPump.chunkSize) {
        guard !cancellation.isCancelled else {
          throw ImageServiceError(
            .cancelled, reason: "Writing \(path) was cancelled after \(written) bytes.",
            remedy: "Start again when you are ready.")
        }
        try hash.update(data)
        do {
          try append(data, to: file)
        } catch {
          throw DiskFailure(
            error, doing: "could not be written", path: path, written: written,
            needed: body.dataByteCount
          ).error
        }
        written += Int64(data.count)
        progress(written)
      }
      let receipt = try hash.receipt()
      do {
        // What ends in a hole has its length only now.
        try file.resize(to: receipt.byteCount)
      } catch {
        throw DiskFailure(error, doing: "could not be given its length", path: path).error
      }
      return receipt
    } catch {
      throw failed(error)
    }
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
