public import Foundation
public import Logging
import Synchronization

/// One image in one file that must not exist yet.
///
/// It is written as `.<name>.partial-<id>` beside its place, flushed, and gets its name when it is
/// complete. An existing file is never replaced.
public final class SingleFileStore: ImageStore {
  /// The path of the file.
  public let path: String
  private let folder: ImageDirectory
  private let logger: Logger
  private let images = Mutex<[UUID: ImageRecord]>([:])

  /// Nothing is touched before ``upload(_:body:progress:)``.
  public init(path: String, logger: Logger) {
    self.path = LocalPath.absolute(path)
    folder = ImageDirectory(path: (self.path as NSString).deletingLastPathComponent)
    self.logger = logger
  }

  /// `file <path>`
  public var name: String { "file \(path)" }

  /// Checks that the directory is there and writable, and that the file is not there.
  ///
  /// - Returns: nil, since there is no token.
  /// - Throws: `fileExists` or `badDirectory`.
  public func checkAccess() async throws(ImageServiceError) -> Requester? {
    guard LocalPath.isDirectory(folder.path) else {
      throw ImageServiceError(
        .badDirectory, reason: "The directory \(folder.path) did not exist.",
        remedy: "mkdir -p '\(folder.path)'")
    }
    guard FileManager.default.isWritableFile(atPath: folder.path) else {
      throw ImageServiceError(
        .badDirectory, reason: "The directory \(folder.path) was not writable for this user.",
        remedy: "Choose a directory you may write to, or run as a user who may.")
    }
    try refuseExisting()
    return nil
  }

  /// Applies the rules of Glance and Nova, so that the image can go there later.
  public func validate(_ image: NewImage) throws(ImageServiceError) { try image.checkRules() }

  /// Compares the free bytes of the file system with the image's length.
  ///
  /// - Throws: `noSpace`, naming the path, the needed and the free bytes.
  public func checkQuota(expectedBytes: Int64) async throws(ImageServiceError) {
    try SpaceCheck.beforehand(in: folder.path, needed: expectedBytes)
  }

  /// Remembers the record; there is no file before the first byte.
  public func create(_ image: NewImage) async throws(ImageServiceError) -> ImageRecord {
    try image.checkRules()
    try refuseExisting()
    let record = ImageRecord(queued: image)
    images.withLock { $0[image.id] = record }
    return record
  }

  /// Remembers the properties, too.
  public func update(_ id: UUID, properties: [String: String]) async throws(ImageServiceError) {
    var record = try record(id)
    record.properties.merge(properties) { _, new in new }
    images.withLock { [record] in $0[id] = record }
  }

  /// Writes the bytes and flushes them to the disk. Data of an earlier attempt is replaced.
  public func upload(
    _ id: UUID, body: any ImageBody, progress: @escaping @Sendable (Int64) -> Void
  ) async throws(ImageServiceError) -> Receipt {
    _ = try record(id)
    let partial = partial(id)
    let receipt = try await DiskThread.run { cancellation throws(ImageServiceError) in
      try? FileManager.default.removeItem(atPath: partial)
      try SpaceCheck(path: partial, needed: body.dataByteCount).run()
      return try PartialFile(path: partial)
        .write(body, progress: progress, cancellation: cancellation)
    }
    logger.info("image written", metadata: ["path": "\(partial)", "bytes": "\(receipt.byteCount)"])
    return receipt
  }

  /// Compares the length of the file and gives it its name.
  ///
  /// - Throws: `fileExists` if somebody has taken the name since.
  public func finish(
    _ id: UUID, receipt: Receipt, body: any ImageBody
  ) async throws(ImageServiceError) -> ImageRecord {
    var record = try record(id)
    record.complete(receipt, size: try LocalPath.fileSize(partial(id)))
    record.file = path
    try await StoredImageCheck(
      record: record, receipt: receipt, body: body, store: "The \(name)"
    ).run(logger: logger)
    try publish(id)
    // From here on delete(_:) removes the published file, since this store made it.
    images.withLock { $0[id] = record }
    try folder.flush()
    logger.info("image active", metadata: ["id": "\(id.path)", "path": "\(path)"])
    return record
  }

  /// Removes what was written under this id: the partial file, and the finished one if this store
  /// made it. A file that was there before is never touched.
  public func delete(_ id: UUID) async throws(ImageServiceError) {
    try LocalPath.remove(partial(id))
    let record = images.withLock { $0.removeValue(forKey: id) }
    if record?.status == .active { try LocalPath.remove(path) }
    logger.info("image deleted", metadata: ["id": "\(id.path)"])
  }

  private func partial(_ id: UUID) -> String {
    folder.path + "/.\((path as NSString).lastPathComponent).partial-\(id.path)"
  }

  private func record(_ id: UUID) throws(ImageServiceError) -> ImageRecord {
    guard let record = images.withLock({ $0[id] }) else {
      throw ImageServiceError(
        .notFound, reason: "Image \(id.path) was not created for \(path).",
        remedy: "Make the image again.")
    }
    return record
  }

  private func refuseExisting() throws(ImageServiceError) {
    guard !LocalPath.exists(path) else {
      throw ImageServiceError(
        .fileExists, reason: "\(path) existed already.",
        remedy: "Choose another file name, or remove it.")
    }
  }

  /// A hard link fails if the name is taken, whereas a rename would replace a file silently. Where
  /// the file system has no links, the name is looked at just before the rename.
  private func publish(_ id: UUID) throws(ImageServiceError) {
    let partial = partial(id)
    guard (try? FileManager.default.linkItem(atPath: partial, toPath: path)) == nil else {
      return try LocalPath.remove(partial)
    }
    try refuseExisting()
    do {
      try FileManager.default.moveItem(atPath: partial, toPath: path)
    } catch {
      throw DiskFailure(error, doing: "could not get its final name", path: partial).error
    }
  }
}
