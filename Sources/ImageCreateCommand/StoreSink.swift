internal import Foundation
internal import ImageService
internal import SnapshotCore
internal import Synchronization

/// Joins the snapshot to the image service: the one knows sinks, the other stores.
final class StoreSink: ImageSink {
  private let store: any ImageStore
  private let minRAM: Int
  private let record = Mutex<ImageRecord?>(nil)

  init(store: any ImageStore, minRAM: Int) {
    self.store = store
    self.minRAM = minRAM
  }

  var name: String { store.name }

  /// The record of the image once it is active.
  var finished: ImageRecord? { record.withLock { $0 } }

  func reserve(_ image: ImageDescription) async throws {
    _ = try await store.create(NewImage(image, minRAM: minRAM))
  }

  func describe(_ id: UUID, _ properties: [String: String]) async throws {
    try await store.update(id, properties: properties)
  }

  func deliver(
    _ id: UUID, _ data: ImageData, progress: @escaping @Sendable (Int64) -> Void
  ) async throws {
    do {
      let body = data.body
      let receipt = try await store.upload(id, body: body, progress: progress)
      let active = try await store.finish(id, receipt: receipt, body: body)
      record.withLock { $0 = active }
    } catch {
      // The disk failed and not the service: that is what the user must hear of.
      if error.code == .bodyFailed, let cause = error.cause as? SnapshotError { throw cause }
      throw error
    }
  }

  func passingReason(of error: any Error) -> String? {
    guard let error = error as? ImageServiceError else { return nil }
    switch error.code {
    // Bytes that changed on the way, or data the service lost: the same once more may be right.
    case .hashMismatch, .sizeMismatch, .imageKilled, .imageRequeued: break
    default: guard error.isTransient else { return nil }
    }
    return error.reason.hasSuffix(".") ? String(error.reason.dropLast()) : error.reason
  }

  func isQuotaRefusal(_ error: any Error) -> Bool {
    (error as? ImageServiceError)?.code == .tooLarge
  }

  /// A service that died during the upload is often back within seconds, and a queued image that
  /// stays behind is a nuisance: try for a while.
  func discard(_ id: UUID) async throws {
    let end = ContinuousClock.now + .seconds(30)
    while true {
      do {
        try await store.delete(id)
        return
      } catch {
        guard error.isTransient, ContinuousClock.now < end else { throw error }
      }
      try await Task.sleep(for: .seconds(1))
    }
  }
}

extension ImageData {
  fileprivate var body: any ImageBody {
    switch self {
    case .file(let path, _): FileBody(path: path)
    case .stream(let disk): EncodedBody(disk: disk)
    }
  }
}

/// A streamed image as the image service pulls it.
private struct EncodedBody: ImageBody {
  let disk: EncodedDisk

  var byteCount: Int64? { disk.byteCount }
  var dataByteCount: Int64? { disk.dataByteCount }

  func makeReader() throws -> any ImageBodyReader { Reader(reader: try disk.makeReader()) }

  private final class Reader: ImageBodyReader {
    private let reader: EncodedDiskReader

    init(reader: EncodedDiskReader) { self.reader = reader }

    func read(upTo limit: Int) throws -> Data? { try reader.read(upTo: limit) }

    func close() { reader.close() }
  }
}

extension NewImage {
  init(_ image: ImageDescription, minRAM: Int) {
    self.init(
      id: image.id, name: image.name, diskFormat: image.diskFormat, minDisk: image.minDisk,
      minRAM: minRAM, properties: image.properties)
  }
}
