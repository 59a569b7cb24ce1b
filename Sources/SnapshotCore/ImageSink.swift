public import Foundation

/// Where the image goes. The image service stands behind it; neither knows the other.
public protocol ImageSink: Sendable {
  /// What to call it in messages, for example `Glance at http://127.0.0.1:9292`.
  var name: String { get }

  /// Makes the image's record, `queued` and without data.
  func reserve(_ image: ImageDescription) async throws
  /// Adds properties to an image that has no data yet, and replaces those of the same name.
  func describe(_ id: UUID, _ properties: [String: String]) async throws
  /// Sends the image's data, then waits until the service has taken it and compares size and hash.
  ///
  /// - Parameter progress: told the bytes sent.
  func deliver(
    _ id: UUID, _ data: ImageData, progress: @escaping @Sendable (Int64) -> Void
  ) async throws
  /// Whether a failed call may succeed a little later, with the same bytes for a new image.
  ///
  /// - Returns: what failed, as a sentence without its full stop; nil where trying is of no use.
  func passingReason(of error: any Error) -> String?
  /// Whether a failed call may succeed once there are fewer images: a quota refused it.
  func isQuotaRefusal(_ error: any Error) -> Bool
  /// Deletes the image; success if there is none.
  func discard(_ id: UUID) async throws
}

/// The bytes of an image.
public enum ImageData: Sendable {
  /// They lie in a file.
  case file(path: String, byteCount: Int64)
  /// They are made while they are read; may be read again from the start.
  case stream(EncodedDisk)

  /// How many there are.
  public var byteCount: Int64 {
    switch self {
    case .file(_, let count): count
    case .stream(let disk): disk.byteCount
    }
  }
}

/// What is known of an image before it has data, in Glance's terms.
public struct ImageDescription: Sendable, Equatable {
  /// Its id, chosen by this run.
  public var id: UUID
  /// Its name.
  public var name: String
  /// Glance's `disk_format`.
  public var diskFormat: String
  /// The least size in GiB of a disk it fits on.
  public var minDisk: Int
  /// Its properties.
  public var properties: [String: String]

  /// Makes a description.
  public init(
    id: UUID, name: String, diskFormat: String, minDisk: Int, properties: [String: String]
  ) {
    self.id = id
    self.name = name
    self.diskFormat = diskFormat
    self.minDisk = minDisk
    self.properties = properties
  }
}
