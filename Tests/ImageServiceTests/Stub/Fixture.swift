import Crypto
import Foundation
import ImageService
import Logging

/// What the tests have in common: credentials, images, answers.
enum Fixture {
  static let password = "p4ss-w0rd-never-shown"
  static let id = "11111111-2222-4333-8444-555555555555"

  static var imageID: UUID { UUID(uuidString: id) ?? UUID() }

  static var image: NewImage {
    NewImage(
      id: imageID, name: "nightly", diskFormat: "qcow2", minDisk: 5,
      properties: ["hw_disk_bus": "virtio"])
  }

  static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

  /// Limits that let a test fail fast, but leave room on a busy machine.
  static let limits = TimeLimits(
    idle: .seconds(20), stall: .seconds(20), patience: .seconds(20),
    firstPause: .milliseconds(5), longestPause: .milliseconds(20), grace: .zero, retries: 2,
    retryPause: .milliseconds(5))

  static func credentials(
    _ url: String, region: String? = nil, interfaces: [String] = ["public"]
  ) throws -> Credentials {
    try Credentials(
      authURL: url, user: .name("ann", domain: .name("Default")), password: Secret(password),
      project: .name("blue", domain: .id("default")), region: region, interfaces: interfaces)
  }

  static func glance(
    _ server: StubServer, limits: TimeLimits = limits, logger: Logger = quiet
  ) throws -> GlanceStore {
    GlanceStore(credentials: try credentials(server.url), limits: limits, logger: logger)
  }

  static func token(glance: String, issued: Date, lifetime: Int) -> String {
    let issuedAt = issued.formatted(.iso8601).replacing("Z", with: ".000000Z")
    let expiresAt = issued.addingTimeInterval(Double(lifetime)).formatted(.iso8601)
    return """
      {"token": {"methods": ["password"], "user": {"id": "user-1", "name": "ann"},
       "project": {"id": "project-1", "name": "blue"},
       "issued_at": "\(issuedAt)", "expires_at": "\(expiresAt)",
       "catalog": [
        {"type": "compute", "name": "nova", "endpoints": []},
        {"type": "image", "name": "glance", "endpoints": [
         {"id": "e1", "interface": "public", "region": "one", "region_id": "one",
          "url": "\(glance)"}]}]}}
      """
  }

  static func record(
    status: String, size: Int? = nil, sha512: String? = nil, algorithm: String = "sha512",
    checksum: String? = nil, id: String = id
  ) -> String {
    """
    {"id": "\(id)", "name": "nightly", "status": "\(status)", "disk_format": "qcow2",
     "container_format": "bare", "size": \(size.map(String.init) ?? "null"),
     "virtual_size": null, "checksum": \(checksum.map { "\"\($0)\"" } ?? "null"), "os_hidden": false,
     "os_hash_algo": \(sha512 == nil ? "null" : "\"\(algorithm)\""),
     "os_hash_value": \(sha512.map { "\"\($0)\"" } ?? "null"),
     "min_disk": 5, "min_ram": 0, "visibility": "private", "owner": "project-1",
     "protected": false, "tags": ["a", "b"], "created_at": "2026-01-01T00:00:00Z",
     "updated_at": "2026-01-01T00:00:00Z", "self": "/v2/images/\(id)",
     "file": "/v2/images/\(id)/file", "schema": "/v2/schemas/image",
     "locations": [], "hw_disk_bus": "virtio"}
    """
  }

  /// The receipt that bytes must get, computed another way.
  static func receipt(_ data: Data) -> Receipt {
    let digits = SHA512.hash(data: data).map {
      String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
    }
    return Receipt(byteCount: Int64(data.count), hash: digits.joined())
  }

  /// Runs what must fail, and returns how it failed.
  static func failure(_ work: () async throws -> some Sendable) async throws -> ImageServiceError {
    do {
      let value = try await work()
      throw Unexpected(what: "\(value) instead of an error")
    } catch let error as ImageServiceError {
      return error
    }
  }

  struct Unexpected: Error { let what: String }
}

extension ImageStore {
  /// For a store that compares with the hash that was computed while sending.
  func finish(_ id: UUID, receipt: Receipt) async throws(ImageServiceError) -> ImageRecord {
    try await finish(id, receipt: receipt, body: PatternBody(0))
  }
}
