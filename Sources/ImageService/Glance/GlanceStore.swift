public import Foundation
public import Logging
import Synchronization

/// Images in OpenStack's image service, over its version 2 API.
public struct GlanceStore: ImageStore {
  private let keystone: KeystoneSession
  private let client: GlanceClient
  private let limits: TimeLimits
  private let logger: Logger

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

  /// Gets a token, finds the endpoint and lists one image.
  ///
  /// - Throws: `unauthorized`, `unreachable`, `badConfiguration` for a catalog without a fitting
  ///   endpoint, `badAnswer` if something else than Keystone or Glance answers.
  public func checkAccess() async throws(ImageServiceError) -> Requester? {
    let token = try await keystone.authenticate()
    let endpoint = try keystone.imageEndpoint(token)
    try await client.probe()
    logger.debug("image service found", metadata: ["endpoint": "\(endpoint.label)"])
    return token.requester
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
    if answer.status == 409, answer.attempts > 1 {
      let record = try await record(image.id)
      if record.status == .queued, record.name == image.name { return record }
    }
    guard answer.isSuccess else {
      throw AnswerRefusal(answer, of: "creating image \(image.id.path)").error
    }
    let record = try answer.decode(ImageRecord.self)
    guard record.id == image.id else {
      throw ImageServiceError(
        .badAnswer,
        reason:
          "\(answer.request.label) created image \(record.id.path) in place of \(image.id.path).",
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

  /// With less than this many bytes sent, a broken connection may be a refusal whose answer was lost.
  private static let earlyByteCount: Int64 = 16 << 20

  /// Sends the bytes in one chunked request, with a token that lives for a while. A refused token
  /// is renewed once, and everything is sent again.
  ///
  /// A service that refuses may close before it has read what was sent by then, and its answer is
  /// lost with the connection. Asked before the body is sent, it gives it. And an image that someone
  /// deleted, maybe to stop this, is an error, not a broken connection that is worth another try.
  public func upload(
    _ id: UUID, body: any ImageBody, progress: @escaping @Sendable (Int64) -> Void
  ) async throws(ImageServiceError) -> Receipt {
    let sent = Mutex<Int64>(0)
    let answer: HTTPAnswer
    let receipt: Receipt?
    do {
      (answer, receipt) = try await client.putFile(id, body: body, asksFirst: false) { count in
        sent.withLock { $0 = count }
        progress(count)
      }
    } catch let error where error.code == .connectionLost {
      let isEarly = sent.withLock { $0 } < Self.earlyByteCount
      guard let refusal = await refusal(of: id, isEarly: isEarly) else { throw error }
      (answer, receipt) = (refusal, nil)
    }
    guard answer.isSuccess else { throw UploadRefusal(answer, id: id).error }
    guard let receipt else {
      throw ImageServiceError(
        .badAnswer,
        reason:
          "\(answer.request.label) was answered with status \(answer.status) before the whole "
          + "image was sent.",
        remedy: "Check that no proxy stands between this machine and Glance.")
    }
    logger.info(
      "image sent", metadata: ["id": "\(id.path)", "bytes": "\(receipt.byteCount)"])
    return receipt
  }

  /// Asks until the image is active, then compares length and SHA-512. Where the service hashes
  /// with another algorithm, only the length is compared, which is logged as a warning.
  public func finish(_ id: UUID, receipt: Receipt) async throws(ImageServiceError) -> ImageRecord {
    let record = try await ActivationWatch(id: id, client: client, limits: limits).run()
    try StoredImageCheck(record: record, receipt: receipt, store: name).run(logger: logger)
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

  /// Looks whether the image is still there; early on, asks for an upload without ever sending it:
  /// what the service says before it wants the body.
  ///
  /// - Returns: its refusal; nil where it would take the body, or holds the image for the upload that
  ///   broke.
  private func refusal(of id: UUID, isEarly: Bool) async -> HTTPAnswer? {
    if let look = try? await client.show(id), [404, 410].contains(look.status) { return look }
    guard isEarly else { return nil }
    let question = try? await client.putFile(id, body: Question(), asksFirst: true) { _ in }
    // What a service says before it wants the body; the rest, a conflict among it, may be about the
    // upload that broke.
    guard let answer = question?.0, [401, 403, 413, 415, 503].contains(answer.status) else {
      return nil
    }
    return answer
  }

  /// A body that is never sent: it keeps its reader waiting for longer than libcurl waits for a
  /// `100 Continue`, and then fails, which breaks the connection.
  private struct Question: ImageBody {
    struct Unanswered: Error {}

    let byteCount: Int64? = nil

    func makeReader() -> any ImageBodyReader { Reader() }

    private final class Reader: ImageBodyReader {
      func read(upTo limit: Int) throws -> Data? {
        Thread.sleep(forTimeInterval: 2)
        throw Unanswered()
      }

      func close() {}
    }
  }

  private func record(_ id: UUID) async throws(ImageServiceError) -> ImageRecord {
    let answer = try await client.show(id)
    guard answer.status == 200 else {
      throw AnswerRefusal(answer, of: "looking at image \(id.path)").error
    }
    return try answer.decode(ImageRecord.self)
  }
}
