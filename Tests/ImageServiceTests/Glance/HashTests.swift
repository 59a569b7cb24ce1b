import Crypto
import Foundation
import Logging
import Synchronization
import Testing

@testable import ImageService

/// An image is compared by the hash that the service keeps, whichever that is.
@Suite struct HashTests {
  static let path = "/v2/images/\(Fixture.id)"
  static let body = PatternBody(300_000)

  static func digest(_ algorithm: HashAlgorithm) -> String {
    func hex(_ digest: some Digest) -> String {
      digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
    return switch algorithm {
    case .sha512: hex(SHA512.hash(data: body.data))
    case .sha384: hex(SHA384.hash(data: body.data))
    case .sha256: hex(SHA256.hash(data: body.data))
    case .sha1: hex(Insecure.SHA1.hash(data: body.data))
    case .md5: hex(Insecure.MD5.hash(data: body.data))
    }
  }

  /// Counts how often it is opened.
  final class CountedBody: ImageBody {
    let opened = Mutex(0)
    var byteCount: Int64? { HashTests.body.byteCount }
    func makeReader() throws -> any ImageBodyReader {
      opened.withLock { $0 += 1 }
      return try HashTests.body.makeReader()
    }
  }

  static func run(
    announced: String?, record: String
  ) async throws -> (opened: Int, warnings: [String]) {
    let log = RecordedLog()
    let body = CountedBody()
    let list = announced.map { #"{"images": [{"id": "x", "os_hash_algo": "\#($0)"}]}"# }
    try await StubServer.run([
      .token(),
      Step("GET", "/v2/images?limit=1&status=active", .json(200, list ?? #"{"images": []}"#)),
      Step("PUT", path + "/file", .answer(204)),
      Step("GET", path, .json(200, record)),
    ]) { server in
      let store = try Fixture.glance(server, logger: log.logger)
      _ = try await store.checkAccess()
      let receipt = try await store.upload(Fixture.imageID, body: body) { _ in }
      _ = try await store.finish(Fixture.imageID, receipt: receipt, body: body)
    }
    return (body.opened.withLock { $0 }, log.lines("warning"))
  }

  static func record(_ algorithm: String, _ hash: String?, checksum: String? = nil) -> String {
    Fixture.record(
      status: "active", size: body.length, sha512: hash, algorithm: algorithm, checksum: checksum)
  }

  @Test(arguments: HashAlgorithm.allCases)
  func `the algorithm of earlier images is used from the start`(_ algorithm: HashAlgorithm)
    async throws
  {
    let name = algorithm.rawValue
    let record = Self.record(name, Self.digest(algorithm))
    let seen = try await Self.run(announced: name, record: record)
    #expect(seen.opened == 1)
    #expect(seen.warnings == [])
  }

  @Test(arguments: HashAlgorithm.allCases)
  func `the first image of a service with another algorithm is read twice`(
    _ algorithm: HashAlgorithm
  ) async throws {
    let record = Self.record(algorithm.rawValue.uppercased(), Self.digest(algorithm))
    let seen = try await Self.run(announced: nil, record: record)
    #expect(seen.opened == (algorithm == .sha512 ? 1 : 2))
    #expect(seen.warnings == [])
  }

  @Test(arguments: [nil, "sha256"])
  func `another hash is an error with every algorithm`(_ announced: String?) async throws {
    let error = try await Fixture.failure {
      _ = try await Self.run(announced: announced, record: Self.record("sha256", "cdcd"))
      return true
    }
    #expect(error.code == .hashMismatch)
    #expect(error.reason.contains("with SHA-256 cdcd"))
  }

  @Test(arguments: ["blake2b", nil])
  func `without a hash that is known the checksum is compared`(_ algorithm: String?) async throws {
    let hash = algorithm.map { _ in "00" }
    let good = Self.record(algorithm ?? "", hash, checksum: Self.digest(.md5))
    let seen = try await Self.run(announced: algorithm, record: good)
    #expect(seen.opened == 2)
    #expect(seen.warnings == [])
    let bad = Self.record(algorithm ?? "", hash, checksum: "00ff")
    let error = try await Fixture.failure {
      _ = try await Self.run(announced: algorithm, record: bad)
      return true
    }
    #expect(error.code == .hashMismatch)
  }

  @Test(arguments: ["blake2b", nil])
  func `an image of which only the length was verified is said to be so`(_ algorithm: String?)
    async throws
  {
    let record = Self.record(algorithm ?? "", algorithm.map { _ in "00" })
    let seen = try await Self.run(announced: algorithm, record: record)
    #expect(seen.warnings.count == 1)
    #expect(seen.warnings[0].contains("only the length of image \(Fixture.id) was verified"))
    #expect(seen.warnings[0].contains("os_hash_algo: \(algorithm ?? "none")"))
  }
}
