import Foundation
import Testing

@testable import ImageService

@Suite struct QuotaTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let what: String
    var total = (4, 100)
    var uploading = (0, 10)
    var size = (32, 1024)
    var bytes: Int64 = 1 << 20
    var reason: String?
    var testDescription: String { what }

    var json: String {
      func quota(_ name: String, _ pair: (Int, Int)) -> String {
        #""\#(name)": {"usage": \#(pair.0), "limit": \#(pair.1)}"#
      }
      return """
        {"usage": {\(quota("image_count_total", total)),
         \(quota("image_count_uploading", uploading)),
         \(quota("image_size_total", size)), \(quota("image_stage_total", (0, 0)))}}
        """
    }
  }

  static let table: [Row] = [
    Row(what: "room for all"),
    Row(what: "the last image", total: (99, 100)),
    Row(
      what: "one image too many", total: (100, 100),
      reason: "The project's quota of images (image_count_total) did not suffice: 100 of 100 "
        + "images were used, and 1 more were needed."),
    Row(what: "the last upload", uploading: (9, 10)),
    Row(
      what: "one upload too many", uploading: (10, 10),
      reason: "The project's quota of uploads under way (image_count_uploading) did not suffice: "
        + "10 of 10 uploads were used, and 1 more were needed."),
    Row(what: "exactly the rest", size: (1023, 1024)),
    Row(
      what: "a byte more than the rest", size: (1023, 1024), bytes: 1 << 20 + 1,
      reason: "The project's quota of image data (image_size_total) did not suffice: 1023 of 1024 "
        + "MiB were used, and 2 more were needed."),
    Row(what: "no byte needs no room", size: (1024, 1024), bytes: 0),
    Row(what: "less than no byte", size: (1024, 1024), bytes: .min),
    Row(what: "no limits", total: (1 << 40, -1), uploading: (7, -1), size: (1 << 40, -1)),
    Row(
      what: "nothing is allowed", total: (0, 0),
      reason: "The project's quota of images (image_count_total) did not suffice: 0 of 0 images "
        + "were used, and 1 more were needed."),
    Row(what: "the largest number", size: (0, .max), bytes: .max),
    Row(
      what: "a sum beyond the largest number", size: (.max, .max), bytes: 1,
      reason: "The project's quota of image data (image_size_total) did not suffice: "
        + "\(Int.max) of \(Int.max) MiB were used, and 1 more were needed."),
  ]

  @Test(arguments: table)
  func `an image beyond a quota is refused with all three numbers`(_ row: Row) async throws {
    let seen = try await StubServer.run([
      .token(), Step("GET", "/v2/info/usage", .json(200, row.json)),
    ]) { server in
      let store = try Fixture.glance(server)
      guard let reason = row.reason else {
        return try await store.checkQuota(expectedBytes: row.bytes)
      }
      let error = try await Fixture.failure { try await store.checkQuota(expectedBytes: row.bytes) }
      #expect(error.code == .tooLarge)
      #expect(error.reason == reason)
      #expect(error.remedy == "Delete images you no longer need, or ask for a larger quota.")
    }
    #expect(seen.last?.headers["x-auth-token"] == "token-1")
  }

  static let unknown: [(String, Reply)] = [
    ("an old Glance", .html(404, "Not Found", "The resource could not be found.")),
    ("a policy", .html(403, "Forbidden", "no")), ("the spec's failure", .answer(400)),
    ("a broken Keystone behind it", .html(500, "Internal Server Error", "oslo.limit")),
    ("no limits in Keystone", .json(200, #"{"usage": {}}"#)),
    ("other limits only", .json(200, #"{"usage": {"x": {"usage": 9, "limit": 1}}}"#)),
    ("HTML", .html(200, "Sign in", "here")), ("truncated JSON", .json(200, #"{"usage": {"ima"#)),
    ("another form", .json(200, #"{"usage": [{"usage": 1, "limit": 0}]}"#)),
    ("a number beyond all", .json(200, #"{"usage": {"x": {"usage": 1e99, "limit": 0}}}"#)),
    ("a flood", .flood(100_000_000)),
    ("a redirect elsewhere", .answer(302, headers: ["Location": "http://127.0.0.1:9/usage"])),
  ]

  @Test(arguments: unknown)
  func `quotas that Glance does not tell are no hindrance`(_ what: String, reply: Reply)
    async throws
  {
    try await StubServer.run([.token(), Step("GET", "/v2/info/usage", reply)]) { server in
      try await Fixture.glance(server).checkQuota(expectedBytes: 1 << 62)
    }
  }

  @Test func `a Glance that can't be asked is not taken for one with room`() async throws {
    let hangUp = Step("GET", "/v2/info/usage", .hangUp(afterBodyBytes: nil))
    try await StubServer.run([.token(), hangUp, hangUp, hangUp]) { server in
      let error = try await Fixture.failure {
        try await Fixture.glance(server).checkQuota(expectedBytes: 1)
      }
      #expect(error.code == .connectionLost)
    }
  }

  @Test func `a local store compares the free bytes, also where its folder does not exist yet`()
    async throws
  {
    let folder = try TemporaryFolder()
    let stores: [(any ImageStore, String)] = [
      (FolderStore(directory: folder.path, logger: Fixture.quiet), folder.path),
      (FolderStore(directory: folder.path + "/a/b", logger: Fixture.quiet), folder.path + "/a/b"),
      (SingleFileStore(path: folder.path + "/image", logger: Fixture.quiet), folder.path),
    ]
    for (store, path) in stores {
      try await store.checkQuota(expectedBytes: 0)
      try await store.checkQuota(expectedBytes: 1)
      let error = try await Fixture.failure { try await store.checkQuota(expectedBytes: 1 << 60) }
      #expect(error.code == .noSpace)
      let expected = "\(path) needed \(1 << 60) bytes for the image, but "
      #expect(error.reason.hasPrefix(expected))
      #expect(error.reason.hasSuffix(" bytes were free."))
      #expect(error.remedy == "Free some space, or choose a directory on another disk.")
    }
    #expect(try folder.entries().isEmpty)
  }
}
