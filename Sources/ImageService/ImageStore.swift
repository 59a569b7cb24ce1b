public import Foundation

/// A place that takes finished images: Glance, a local image folder or a single file.
///
/// The calls come in this order: ``checkAccess()``, ``validate(_:)``,
/// ``checkQuota(expectedBytes:)``, ``create(_:)``, ``update(_:properties:)`` if there is anything to
/// add, ``upload(_:body:progress:)``, ``finish(_:receipt:body:)``. A caller that gives up after
/// ``create(_:)`` calls ``delete(_:)``; a store never deletes on its own.
public protocol ImageStore: Sendable {
  /// What messages call this store: `Glance at http://…` or `local image folder /var/…`.
  var name: String { get }

  /// Checks credentials, reachability and the endpoint, and changes nothing.
  ///
  /// - Returns: who the token speaks for; nil for a store on the local disk.
  /// - Throws: `badConfiguration`, `unauthorized`, `unreachable`, `fileExists` and the like.
  func checkAccess() async throws(ImageServiceError) -> Requester?

  /// Checks lengths, key patterns and formats before anything is touched.
  ///
  /// - Throws: `invalidName` or `invalidMetadata`, naming the offending key.
  func validate(_ image: NewImage) throws(ImageServiceError)

  /// Checks that an image of this length fits: the project's quotas, or the room on the disk.
  ///
  /// What the store does not tell counts as room enough.
  ///
  /// - Parameter expectedBytes: the length of the image, or the most that it may be.
  /// - Throws: `tooLarge` or `noSpace`, naming what is needed and what is left.
  func checkQuota(expectedBytes: Int64) async throws(ImageServiceError)

  /// Makes an image record without data.
  ///
  /// - Returns: the record, in status `queued`.
  func create(_ image: NewImage) async throws(ImageServiceError) -> ImageRecord

  /// Adds properties to an image that is `queued`, and replaces those of the same name.
  ///
  /// - Throws: `imageGone` or `notFound` if there is no such image; `forbidden`.
  func update(_ id: UUID, properties: [String: String]) async throws(ImageServiceError)

  /// Sends the bytes of an image that is `queued`.
  ///
  /// The body may be opened a second time and sent again from its first byte. `progress` gets the
  /// number of bytes handed to the store so far, and starts again from 0 in that case; it is
  /// called from other threads. A read that is under way when the task is cancelled is waited for.
  ///
  /// - Returns: length and hash of what was sent.
  func upload(
    _ id: UUID, body: any ImageBody, progress: @escaping @Sendable (Int64) -> Void
  ) async throws(ImageServiceError) -> Receipt

  /// Waits until the image is `active` and compares what was stored with what was sent.
  ///
  /// - Parameter body: what was sent, should a hash of another kind be needed.
  /// - Throws: `sizeMismatch` or `hashMismatch` if they differ; the caller deletes the image then.
  func finish(
    _ id: UUID, receipt: Receipt, body: any ImageBody
  ) async throws(ImageServiceError) -> ImageRecord

  /// Deletes an image in any state. An image that is not there is success.
  func delete(_ id: UUID) async throws(ImageServiceError)
}
