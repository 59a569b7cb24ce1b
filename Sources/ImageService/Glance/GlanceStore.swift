public import Foundation
public import Logging
import Synchronization

/// Images in OpenStack's image service, over its version 2 API.
public final class GlanceStore: ImageStore {
  private let keystone: KeystoneSession
  private let client: GlanceClient
  private let limits: TimeLimits
  private let logger: Logger
  /// What the service hashes images with, as far as is known.
  private let hash = Mutex(HashAlgorithm.sha512)

  /// Nothing is sent before ``checkAccess()`` or another call.
  public init(credentials: Credentials, limits: TimeLimits = TimeLimits(), logger: Logger) {
    let transport = Transport(limits: limits, logger: logger)
    keystone = KeystoneSession(credentials: credentials, transport: transport, logger: logger)
    client = GlanceClient(keystone: keystone, transport: transport, limits: limits)
    self.limits = limits
    self.logger = logger
  }

  /// `Glance at <endpoint>`; before the endpoint is known, the Keystone that will tell it.
  public var name: String {
    keystone.knownImageEndpoint.map { "Glance at \($0.label)" }
      ?? "Glance (Keystone at \(keystone.label))"
  }

  /// Gets a token, finds the endpoint and lists one image, whose hash tells which algorithm the
  /// service uses: a new image's record does not say before it is active.
  ///
  /// - Throws: `unauthorized`, `unreachable`, `badConfiguration` for a catalog without a fitting
  ///   endpoint, `badAnswer` if something else than Keystone or Glance answers.
  public func checkAccess() async throws(ImageServiceError) -> Requester? {
    let token = try await keystone.authenticate()
    let endpoint = try keystone.imageEndpoint(token)
    for warning in keystone.endpointWarnings(token) { logger.warning("\(warning)") }
    if let known = HashAlgorithm(service: try await client.probe()) {
      hash.withLock { $0 = known }
    }
    logger.debug("image service found", metadata: ["endpoint": "\(endpoint.label)"])
    return token.requester
  }

  /// Where images go, for a later process to find the same place.
  package func identity() async throws(ImageServiceError) -> ServiceIdentity {
    try keystone.identity(try await keystone.token())
  }

  /// Applies the rules of Glance and Nova; see ``NewImage/checkRules()``. Glance also refuses
  /// characters beyond U+FFFF, such as emoji, in name and properties.
  public func validate(_ image: NewImage) throws(ImageServiceError) {
    try image.checkRules()
    try image.checkBasicPlane()
  }

  /// Compares the project's quotas (`GET /v2/info/usage`) with one more image of this length.
  ///
  /// Glance counts no byte beforehand and lets the upload in progress exceed the total size; the
  /// next one fails. Here that is refused: an operator's limit is meant.
  ///
  /// - Throws: `tooLarge`; `unreachable` and the like where Glance can't be asked. Every other
  ///   answer means that the quotas are not known.
  public func checkQuota(expectedBytes: Int64) async throws(ImageServiceError) {
    let answer: HTTPAnswer
    do {
      answer = try await client.usage()
    } catch let error where error.code == .badAnswer {
      return quotaUnknown("no answer that makes sense")
    }
    guard answer.status == 200, let quota = try? answer.decode(ImageQuota.self) else {
      return quotaUnknown("status \(answer.status)")
    }
    try quota.check(expectedBytes: expectedBytes)
  }

  private func quotaUnknown(_ why: String) {
    logger.debug("the project's image quotas are not known", metadata: ["answer": "\(why)"])
  }

  /// Creates the record. An answer lost on the way is harmless: the id is the client's, so a
  /// record that is there already after a repeated request is the one that was asked for.
  public func create(_ image: NewImage) async throws(ImageServiceError) -> ImageRecord {
    let answer = try await client.create(image)
    // The lost one may have taken the last place of the quota, too.
    if [409, 413].contains(answer.status), answer.attempts > 1,
      let record = try await record(image.id), record.status == .queued, record.name == image.name
    {
      return record
    }
    guard answer.isSuccess else {
      throw AnswerRefusal(answer, of: "creating image \(image.id.path)").error
    }
    let record = try answer.decode(ImageRecord.self)
    guard record.id == image.id else {
      throw ImageServiceError(
        .badAnswer,
        reason:
          "\(answer.request.route) created image \(record.id.path) in place of \(image.id.path).",
        remedy: "Delete it with: openstack image delete \(record.id.path)")
    }
    logger.info("image created", metadata: ["id": "\(image.id.path)"])
    return record
  }

  /// Adds properties, or replaces them.
  public func update(_ id: UUID, properties: [String: String]) async throws(ImageServiceError) {
    let answer = try await client.update(id, PropertyPatch(properties: properties))
    guard answer.status == 200 else {
      throw AnswerRefusal(answer, of: "describing image \(id.path)").error
    }
    logger.debug("image described", metadata: ["id": "\(id.path)"])
  }

  /// Sends the bytes, and asks what became of them if the service does not say; see ``FileUpload``.
  public func upload(
    _ id: UUID, body: any ImageBody, progress: @escaping @Sendable (Int64) -> Void
  ) async throws(ImageServiceError) -> Receipt {
    let receipt = try await FileUpload(
      id: id, body: body, hash: hash.withLock { $0 }, client: client, limits: limits,
      logger: logger, progress: progress
    ).run()
    logger.info(
      "image sent", metadata: ["id": "\(id.path)", "bytes": "\(receipt.byteCount)"])
    return receipt
  }

  /// Asks until the image is active, then compares length and hash. If the service hashes with
  /// another algorithm than expected, the body is read once more; see ``StoredImageCheck``.
  public func finish(
    _ id: UUID, receipt: Receipt, body: any ImageBody
  ) async throws(ImageServiceError) -> ImageRecord {
    let record = try await ActivationWatch(
      id: id, byteCount: receipt.byteCount, client: client, limits: limits, logger: logger
    ).run()
    try await StoredImageCheck(record: record, receipt: receipt, body: body, store: name)
      .run(logger: logger)
    logger.info("image active", metadata: ["id": "\(id.path)"])
    return record
  }

  /// Deletes the image; one that is gone is success.
  public func delete(_ id: UUID) async throws(ImageServiceError) {
    let answer = try await client.delete(id)
    // Success has no body: a login page with status 200 deletes nothing.
    let isDone = answer.isSuccess && answer.body.isEmpty
    guard isDone || answer.status == 404 || answer.status == 410 else {
      throw AnswerRefusal(answer, of: "deleting image \(id.path)").error
    }
    logger.info("image deleted", metadata: ["id": "\(id.path)"])
  }

  /// - Returns: nil if there is no such image.
  private func record(_ id: UUID) async throws(ImageServiceError) -> ImageRecord? {
    let answer = try await client.show(id, patiently: true)
    if answer.status == 404 { return nil }
    guard answer.status == 200 else {
      throw AnswerRefusal(answer, of: "looking at image \(id.path)").error
    }
    return try answer.decode(ImageRecord.self)
  }
}
