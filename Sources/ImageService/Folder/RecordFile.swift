import Foundation
import Glibc
import SystemPackage

/// An `image.json`: a record in Glance's JSON form.
struct RecordFile {
  let path: String

  /// Replaces the file, flushed to the disk, with mode 0600.
  func write(_ record: ImageRecord) throws(ImageServiceError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    do {
      let json = try encoder.encode(record)
      // A full disk must leave the record that is there.
      let new = path + ".new"
      let file = try FileDescriptor.open(
        FilePath(new), .writeOnly, options: [.create, .truncate, .noFollow, .closeOnExec],
        permissions: .ownerReadWrite)
      defer { try? file.close() }
      try file.writeAll(json)
      guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      try LocalPath.remove(path)
      try FileManager.default.moveItem(atPath: new, toPath: path)
    } catch {
      throw DiskFailure(error, doing: "could not be written", path: path).error
    }
  }

  /// - Throws: `imageGone` if it is not there or is no image record.
  func read() throws(ImageServiceError) -> ImageRecord {
    do {
      let json = try Data(contentsOf: URL(filePath: path))
      return try JSONDecoder().decode(ImageRecord.self, from: json)
    } catch {
      throw ImageServiceError(
        .imageGone, reason: "\(path) could not be read; somebody removed or changed it since.",
        remedy: "Make the image again.", cause: error)
    }
  }
}

extension ImageRecord {
  /// Turns a queued record into that of a complete image.
  mutating func complete(_ receipt: Receipt, size: Int64, at time: Date = Date()) {
    status = .active
    self.size = size
    osHashAlgo = receipt.algorithm.rawValue
    osHashValue = receipt.hash
    updatedAt = time.formatted(.iso8601)
  }
}
