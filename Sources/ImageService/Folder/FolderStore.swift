public import Foundation
public import Logging

/// Images in a directory of this machine: `<directory>/<id>/image.<format>` and beside it
/// `image.json`, the record in Glance's form.
///
/// Everything is written into `.<id>.partial` first, flushed, and renamed when it is complete: what
/// has the name of an image id is a whole image. Directories have mode 0700, files 0600.
public struct FolderStore: ImageStore {
  /// The directory, without a slash at its end.
  public let directory: String
  private let folder: ImageDirectory
  private let logger: Logger

  /// Nothing is touched before ``create(_:)``, which makes a missing directory.
  public init(directory: String, logger: Logger) {
    self.directory = LocalPath.absolute(directory)
    folder = ImageDirectory(path: self.directory)
    self.logger = logger
  }

  /// `local image folder <directory>`
  public var name: String { "local image folder \(directory)" }

  /// The path of the image file, once the image is finished.
  public func imagePath(_ record: ImageRecord) -> String {
    published(record.id) + "/" + Self.fileName(record)
  }

  /// Checks the directory, or the one it can be made in.
  ///
  /// - Returns: nil, since there is no token.
  /// - Throws: `badDirectory` if it is a link, writable for everybody, or not writable.
  public func checkAccess() async throws(ImageServiceError) -> Requester? {
    try folder.checkWritable()
    return nil
  }

  /// Applies the rules of Glance and Nova, so that the image can go there later.
  public func validate(_ image: NewImage) throws(ImageServiceError) { try image.checkRules() }

  /// Compares the free bytes of the file system with the image's length.
  ///
  /// - Throws: `noSpace`, naming the path, the needed and the free bytes.
  public func checkQuota(expectedBytes: Int64) async throws(ImageServiceError) {
    try SpaceCheck.beforehand(in: directory, needed: expectedBytes)
  }

  /// Makes `.<id>.partial` with the record, in status `queued`.
  public func create(_ image: NewImage) async throws(ImageServiceError) -> ImageRecord {
    try image.checkRules()
    try folder.createIfMissing()
    guard !FileManager.default.fileExists(atPath: published(image.id)) else {
      throw ImageServiceError(
        .conflict, reason: "Image \(image.id.path) was there already, in \(directory).",
        remedy: "Use another image id.")
    }
    let partial = try folder.createSubdirectory(Self.partialName(image.id))
    let record = ImageRecord(queued: image)
    do {
      try RecordFile(path: partial + "/image.json").write(record)
    } catch {
      // The caller got no image, so nobody would delete this.
      try? LocalPath.remove(partial)
      throw error
    }
    logger.info("image created", metadata: ["id": "\(image.id.path)", "path": "\(partial)"])
    return record
  }

  /// Writes the record once more.
  public func update(_ id: UUID, properties: [String: String]) async throws(ImageServiceError) {
    let file = RecordFile(path: partial(id) + "/image.json")
    var record = try file.read()
    record.properties.merge(properties) { _, new in new }
    try file.write(record)
  }

  /// Writes the bytes and flushes them to the disk. Data of an earlier attempt is replaced.
  ///
  /// - Throws: `noSpace` with the bytes needed and free, before the first byte if the length is
  ///   known beforehand.
  public func upload(
    _ id: UUID, body: any ImageBody, progress: @escaping @Sendable (Int64) -> Void
  ) async throws(ImageServiceError) -> Receipt {
    let record = try RecordFile(path: partial(id) + "/image.json").read()
    let path = partial(id) + "/" + Self.fileName(record)
    let receipt = try await DiskThread.run { cancellation throws(ImageServiceError) in
      try? FileManager.default.removeItem(atPath: path)
      try SpaceCheck(path: path, needed: body.dataByteCount).run()
      return try PartialFile(path: path)
        .write(body, progress: progress, cancellation: cancellation)
    }
    logger.info("image written", metadata: ["path": "\(path)", "bytes": "\(receipt.byteCount)"])
    return receipt
  }

  /// Compares the length of the file, writes the final record and gives the directory its name.
  public func finish(
    _ id: UUID, receipt: Receipt, body: any ImageBody
  ) async throws(ImageServiceError) -> ImageRecord {
    let file = RecordFile(path: partial(id) + "/image.json")
    var record = try file.read()
    let size = try LocalPath.fileSize(partial(id) + "/" + Self.fileName(record))
    record.complete(receipt, size: size)
    record.file = published(id) + "/" + Self.fileName(record)
    try await StoredImageCheck(
      record: record, receipt: receipt, body: body, store: "The \(name)"
    ).run(logger: logger)
    try file.write(record)
    try ImageDirectory(path: partial(id)).flush()
    do {
      try FileManager.default.moveItem(atPath: partial(id), toPath: published(id))
    } catch {
      throw DiskFailure(error, doing: "could not get its final name", path: partial(id)).error
    }
    try folder.flush()
    logger.info("image active", metadata: ["id": "\(id.path)", "path": "\(published(id))"])
    return record
  }

  /// Removes the image, finished or not.
  public func delete(_ id: UUID) async throws(ImageServiceError) {
    for path in [partial(id), published(id)] {
      try LocalPath.remove(path)
    }
    logger.info("image deleted", metadata: ["id": "\(id.path)"])
  }

  private static func partialName(_ id: UUID) -> String { ".\(id.path).partial" }

  private static func fileName(_ record: ImageRecord) -> String {
    "image.\(record.diskFormat ?? "raw")"
  }

  private func partial(_ id: UUID) -> String { directory + "/" + Self.partialName(id) }

  private func published(_ id: UUID) -> String { directory + "/" + id.path }
}
