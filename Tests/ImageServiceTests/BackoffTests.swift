import Foundation
import Testing

@testable import ImageService

/// Calls before the upload outlast a service that is away or busy for a moment.
@Suite struct BackoffTests {
  enum Call: String, CaseIterable, Sendable {
    case token, probe, quota, create, delete

    var step: (method: String, path: String) {
      switch self {
      case .token: ("POST", "/v3/auth/tokens")
      case .probe: ("GET", "/v2/images?limit=1&status=active")
      case .quota: ("GET", "/v2/info/usage")
      case .create: ("POST", "/v2/images")
      case .delete: ("DELETE", "/v2/images/\(Fixture.id)")
      }
    }

    var success: Step {
      switch self {
      case .token: .token()
      case .probe: Step(step.method, step.path, .json(200, #"{"images": []}"#))
      case .quota: Step(step.method, step.path, .json(200, #"{"usage": {}}"#))
      case .create: Step(step.method, step.path, .json(201, Fixture.record(status: "queued")))
      case .delete: Step(step.method, step.path, .answer(204))
      }
    }

    func run(_ store: GlanceStore) async throws {
      switch self {
      case .token: _ = try await store.identity()
      case .probe: _ = try await store.checkAccess()
      case .quota: try await store.checkQuota(expectedBytes: 1)
      case .create: _ = try await store.create(Fixture.image)
      case .delete: try await store.delete(Fixture.imageID)
      }
    }

    func script(_ replies: [Reply], succeeds: Bool) -> [Step] {
      (self == .token ? [] : [.token()]) + replies.map { Step(step.method, step.path, $0) }
        + (succeeds ? [success] : [])
    }
  }

  @Test(arguments: Call.allCases, [429, 502, 503, 504])
  func `a service that is busy twice is asked a third time`(_ call: Call, status: Int) async throws
  {
    let script = call.script([.answer(status), .answer(status)], succeeds: true)
    try await StubServer.run(script) { try await call.run(Fixture.glance($0)) }
  }

  @Test(arguments: Call.allCases)
  func `a connection that breaks twice is made a third time`(_ call: Call) async throws {
    let loss = Reply.hangUp(afterBodyBytes: nil)
    try await StubServer.run(call.script([loss, loss], succeeds: true)) {
      try await call.run(Fixture.glance($0))
    }
  }

  @Test(arguments: [Call.token, .probe, .create], [500, 503, 401, 403])
  func `what stays refused is an error, and what will not pass is asked once`(
    _ call: Call, status: Int
  ) async throws {
    // A token that Glance refuses is renewed once; Keystone's refusal never is tried again.
    let script: [Step] =
      switch (call, status) {
      case (.token, 401): call.script([.answer(401)], succeeds: false)
      case (_, 401):
        call.script([.answer(401)], succeeds: false)
          + [.token("new"), Step(call.step.method, call.step.path, .answer(401))]
      case (_, 503): call.script(Array(repeating: .answer(503), count: 3), succeeds: false)
      default: call.script([.answer(status)], succeeds: false)
      }
    try await StubServer.run(script) { server in
      _ = try await Fixture.failure {
        try await call.run(try Fixture.glance(server))
        return true
      }
    }
  }

  @Test func `a port at which nobody listens is tried for a while`() async throws {
    var limits = Fixture.limits
    limits.retryPause = .milliseconds(200)
    let store = GlanceStore(
      credentials: try Fixture.credentials("http://127.0.0.1:9"), limits: limits,
      logger: Fixture.quiet)
    let clock = ContinuousClock.now
    let error = try await Fixture.failure { try await store.checkAccess() }
    #expect(error.code == .unreachable)
    #expect(.now - clock >= .milliseconds(600))
  }

  private static func outcome(_ headers: [String: String]) throws -> HTTPAnswer {
    HTTPAnswer(
      request: HTTPRequest(method: "GET", url: try #require(URL(string: "http://h/"))),
      status: 503, headers: headers, body: Data())
  }

  @Test func `pauses double up to a bound, and what the service asks for is honored up to one`()
    throws
  {
    func pauses(_ headers: [String: String], _ limits: TimeLimits) throws -> [Duration] {
      var backoff = Backoff(limits: limits)
      var pauses: [Duration] = []
      while let pause = backoff.pause(after: .success(try Self.outcome(headers))) {
        pauses.append(pause)
      }
      return pauses
    }
    let limits = TimeLimits(retryBudget: .seconds(1000))
    #expect(
      try pauses([:], limits)
        == [
          .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(15),
          .seconds(15),
        ])
    #expect(
      try pauses(["Retry-After": "3"], limits).prefix(4) == [
        .seconds(3), .seconds(3), .seconds(3), .seconds(4),
      ])
    #expect(try pauses(["Retry-After": "86400"], limits).first == .seconds(30))
    // The whole takes about the budget.
    #expect(try pauses(["Retry-After": "30"], TimeLimits(retryBudget: .seconds(29))).isEmpty)
  }

  @Test(
    arguments: [
      ("120", 120), ("0", 0), ("-5", 0), ("soon", nil), ("99999999", 86_400),
      ("Fri, 31 Dec 1999 23:59:59 GMT", 10), ("Fri, 31 Dec 1999 23:00:00 GMT", 0),
    ] as [(String, Int?)])
  func `Retry-After is a number of seconds or a date`(_ text: String, seconds: Int?) throws {
    let now = try Date("1999-12-31T23:59:49Z", strategy: .iso8601)
    let answer = try Self.outcome(["retry-after": text])
    #expect(Backoff.retryAfter(answer, now: now) == seconds.map { .seconds($0) })
  }

  @Test func `a wait for a busy service can be cancelled`() async throws {
    var limits = Fixture.limits
    limits.retryPause = .seconds(15)
    try await StubServer.run([Step("POST", "/v3/auth/tokens", .answer(503))]) { server in
      let store = try Fixture.glance(server, limits: limits)
      let task = Task { try await Fixture.failure { try await store.checkAccess() } }
      while server.openStepCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
      let clock = ContinuousClock.now
      task.cancel()
      #expect(try await task.value.code == .cancelled)
      #expect(.now - clock < .seconds(10))
    }
  }
}
