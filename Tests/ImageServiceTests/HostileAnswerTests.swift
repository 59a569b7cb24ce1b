import Foundation
import ImageService
import Testing

/// A Keystone or a Glance that answers anything but what it should.
@Suite struct HostileAnswerTests {
  /// A call whose answer is JSON.
  enum Call: String, CaseIterable, Sendable {
    case token
    case probe
    case create
    case look

    var method: String { self == .token || self == .create ? "POST" : "GET" }

    var path: String {
      switch self {
      case .token: "/v3/auth/tokens"
      case .probe: "/v2/images?limit=1&status=active"
      case .create: "/v2/images"
      case .look: "/v2/images/\(Fixture.id)"
      }
    }

    /// What the call gets, after a good token where it needs one.
    func script(_ reply: Reply, times: Int = 1) -> [Step] {
      (self == .token ? [] : [.token()])
        + Array(repeating: Step(method, path, reply), count: times)
    }

    func label(_ server: StubServer) -> String {
      "\(method) \(server.url)\(path.split(separator: "?")[0])"
    }

    func failure(_ server: StubServer, limits: TimeLimits) async throws -> ImageServiceError {
      let store = try Fixture.glance(server, limits: limits)
      return try await Fixture.failure {
        switch self {
        case .token, .probe: _ = try await store.checkAccess()
        case .create: _ = try await store.create(Fixture.image)
        case .look:
          _ = try await store.finish(
            Fixture.imageID, receipt: Receipt(byteCount: 1, hash: "ab"))
        }
      }
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let what: String
    let reply: Reply
    var code = ImageServiceError.Code.badAnswer
    /// How the reason goes on behind method and URL.
    let reason: String
    var testDescription: String { what }

    init(
      _ what: String, _ reply: Reply, _ code: ImageServiceError.Code = .badAnswer,
      _ reason: String
    ) {
      self.what = what
      self.reply = reply
      self.code = code
      self.reason = reason
    }
  }

  static let noLimit = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
  static let notJSON = "application/json that were not the expected JSON."

  static let table: [Row] = [
    Row(
      "HTML", .html(200, "Sign in", "here"), .badAnswer,
      " was answered with status 200 and 121 bytes of text/html; charset=UTF-8 that were not the "
        + "expected JSON."),
    Row(
      "no body", .answer(200), .badAnswer,
      " was answered with status 200 and 0 bytes of unknown content type that were not the expected "
        + "JSON."),
    Row(
      "half of its JSON", .json(200, #"{"images": [{"id": "#), .badAnswer,
      " was answered with status 200 and 19 bytes of \(notJSON)"),
    Row(
      "an empty object", .json(200, "{}"), .badAnswer,
      " was answered with status 200 and 2 bytes of \(notJSON)"),
    Row(
      "null", .json(200, "null"), .badAnswer,
      " was answered with status 200 and 4 bytes of \(notJSON)"),
    Row(
      "wrong types everywhere",
      .json(200, #"{"images": 1, "id": [], "token": {"user": 7}, "status": {}}"#), .badAnswer,
      " was answered with status 200 and 59 bytes of \(notJSON)"),
    Row(
      "a hundred thousand brackets", .json(200, String(repeating: "[", count: 100_000)),
      .badAnswer, " was answered with status 200 and 100000 bytes of \(notJSON)"),
    Row(
      "bytes that are no text",
      .bytes(Data((noLimit + "Content-Length: 4\r\n\r\n").utf8) + [0xFF, 0xFE, 0x00, 0xD8]),
      .badAnswer, " was answered with status 200 and 4 bytes of \(notJSON)"),
    Row(
      "a Content-Length that is too short",
      .raw(noLimit + "Content-Length: 3\r\n\r\n{\"images\": []}"), .badAnswer,
      " was answered with status 200 and 3 bytes of \(notJSON)"),
    Row(
      "a Content-Length that is too long",
      .raw(noLimit + "Content-Length: 300\r\n\r\n{\"images\": []}"), .connectionLost,
      " broke off: "),
    Row(
      "a Content-Length that is no number",
      .raw(noLimit + "Content-Length: many\r\n\r\n{\"images\": []}"), .connectionLost,
      " broke off: "),
    Row(
      "a Content-Length below zero",
      .raw(noLimit + "Content-Length: -1\r\n\r\n{\"images\": []}"), .connectionLost,
      " broke off: "),
    Row(
      "a chunk that never comes",
      .raw(noLimit + "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n{\"images\""), .connectionLost,
      " broke off: "),
    Row(
      "chunks of no size",
      .raw(noLimit + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), .connectionLost,
      " broke off: "),
    Row("nothing but the end", .raw(""), .connectionLost, " broke off: "),
    Row(
      "another protocol", .raw("SSH-2.0-OpenSSH_9.2\r\n"), .badAnswer,
      " was answered with something that is not HTTP."),
    Row(
      "a gzip that is none",
      .raw(noLimit + "Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n{\"a\": 123"),
      .connectionLost, " broke off: "),
  ]

  /// An image that was sent is looked for again after a lost connection, so that is left out.
  static let pairs = table.flatMap { row in
    Call.allCases.filter { $0 != .look || row.code == .badAnswer }.map { (row, $0) }
  }

  static var oneTry: TimeLimits {
    var limits = Fixture.limits
    limits.retries = 0
    limits.patience = .zero
    return limits
  }

  @Test(arguments: pairs)
  func `an answer that makes no sense is refused by its form and never shown`(
    _ row: Row, call: Call
  ) async throws {
    try await StubServer.run(call.script(row.reply)) { server in
      let error = try await call.failure(server, limits: Self.oneTry)
      #expect(error.code == row.code)
      #expect(error.reason.hasPrefix(call.label(server) + row.reason), "\(error.reason)")
      #expect(!error.remedy.isEmpty && !error.description.contains("images\":"))
    }
  }

  /// Answers that never end.
  enum Endless: String, CaseIterable, Sendable {
    case json, chunks, bytes, gzip

    var reply: Reply {
      let block = String(repeating: "[", count: 65_536)
      return switch self {
      case .json: .flood(100_000_000)
      case .chunks:
        .endless(
          noLimit + "Transfer-Encoding: chunked\r\n\r\n", again: "10000\r\n" + block + "\r\n",
          pause: .zero)
      case .bytes: .endless(noLimit + "\r\n", again: block, pause: .zero)
      case .gzip: .bytes(gzipBomb)
      }
    }
  }

  /// 100 MB of zeros in less than 1 MB.
  static let gzipBomb: Data = {
    let gzip = Process()
    let output = Pipe()
    gzip.executableURL = URL(filePath: "/bin/sh")
    gzip.arguments = ["-c", "head -c 100000000 /dev/zero | gzip -1"]
    gzip.standardOutput = output
    try? gzip.run()
    let zipped = output.fileHandleForReading.readDataToEndOfFile()
    let head = noLimit + "Content-Encoding: gzip\r\nContent-Length: \(zipped.count)\r\n\r\n"
    return Data(head.utf8) + zipped
  }()

  @Test(arguments: Endless.allCases, Call.allCases)
  func `an answer without end is refused at once and takes little memory`(
    _ endless: Endless, call: Call
  ) async throws {
    // From here on the peak counts.
    try? Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
    let before = try Self.memory("VmRSS")
    try await StubServer.run(call.script(endless.reply)) { server in
      let error = try await call.failure(server, limits: Self.oneTry)
      #expect(error.code == .badAnswer)
      #expect(
        error.reason
          == "\(call.label(server)) was answered with status 200 and more than 4194304 bytes.")
      // Without a bound it was gigabytes.
      #expect(try Self.memory("VmHWM") - before < 100_000)
    }
    #expect(try Self.memory("VmHWM") - before < 200_000)
  }

  /// kB of this process.
  private static func memory(_ key: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(key + ":") })
    return try #require(Int(line.filter(\.isNumber)))
  }

  @Test(arguments: [Call.token, .probe, .create])
  func `headers without end are not read for ever`(_ call: Call) async throws {
    let header = "X-Filler: " + String(repeating: "x", count: 8000) + "\r\n"
    let reply = Reply.endless(Self.noLimit, again: header, pause: .zero)
    try await StubServer.run(call.script(reply)) { server in
      let error = try await call.failure(server, limits: Self.oneTry)
      #expect(error.code == .connectionLost, "\(error.reason)")
    }
  }

  @Test(arguments: [Call.token, .probe, .create])
  func `an answer that only drips ends after a time`(_ call: Call) async throws {
    let reply = Reply.endless(Self.noLimit + "\r\n", again: " ", pause: .milliseconds(100))
    var limits = Self.oneTry
    limits.answer = .seconds(2)
    try await StubServer.run(call.script(reply)) { server in
      let error = try await call.failure(server, limits: limits)
      #expect(error.code == .timedOut)
      #expect(error.reason == "\(call.label(server)) was not answered in full within 2 s.")
    }
  }

  @Test(arguments: [Call.token, .probe, .create])
  func `a service that never answers ends after a time`(_ call: Call) async throws {
    var limits = Self.oneTry
    limits.idle = .seconds(2)
    try await StubServer.run(call.script(.silence)) { server in
      let error = try await call.failure(server, limits: limits)
      #expect(error.code == .timedOut)
      #expect(error.reason == "\(call.label(server)) got no answer within 2 s.")
    }
  }
}
