import Foundation
import ImageService
import Testing

@Suite struct AuthenticationTests {
  @Test func aUserAndAProjectByNameAreSentWithTheirDomains() async throws {
    let seen = try await StubServer.run([
      .token(), Step("GET", "/v2/images?limit=1&status=active", .json(200, #"{"images": []}"#)),
    ]) { server in
      let requester = try await Fixture.glance(server).checkAccess()
      #expect(requester == Requester(userID: "user-1", projectID: "project-1"))
    }
    #expect(
      String(decoding: seen[0].body, as: UTF8.self)
        == #"{"auth":{"identity":{"methods":["password"],"password":{"user":{"#
        + #""domain":{"name":"Default"},"name":"ann","password":"p4ss-w0rd-never-shown"}}},"#
        + #""scope":{"project":{"domain":{"id":"default"},"name":"blue"}}}}"#)
    #expect(seen[0].headers["content-type"] == "application/json")
    #expect(seen[0].headers["x-auth-token"] == nil)
    #expect(seen[1].headers["x-auth-token"] == "token-1")
  }

  @Test func aUserAndAProjectByIdNeedNoDomain() async throws {
    let seen = try await StubServer.run([
      .token(), Step("GET", "/v2/images?limit=1&status=active", .json(200, #"{"images": []}"#)),
    ]) { server in
      let credentials = try Credentials(
        authURL: server.url + "/v3/", user: .id("u1"), password: Secret("x"), project: .id("p1"))
      _ = try await GlanceStore(credentials: credentials, logger: Fixture.quiet).checkAccess()
    }
    #expect(
      String(decoding: seen[0].body, as: UTF8.self)
        == #"{"auth":{"identity":{"methods":["password"],"password":{"user":{"#
        + #""id":"u1","password":"x"}}},"scope":{"project":{"id":"p1"}}}}"#)
  }

  @Test(arguments: [#"Keystone uri="http://h:5000""#, #"Basic realm="k""#])
  func aWrongPasswordIsRefusedOnceAndNeverTriedAgain(challenge: String) async throws {
    let body = #"{"error": {"code": 401, "message": "That requires authentication."}}"#
    try await StubServer.run([
      Step(
        "POST", "/v3/auth/tokens",
        .answer(
          401, headers: ["Content-Type": "application/json", "WWW-Authenticate": challenge], body))
    ]) { server in
      let error = try await Fixture.failure { try await Fixture.glance(server).checkAccess() }
      #expect(error.code == .unauthorized)
      #expect(error.reason.contains(#""ann" (domain "Default")"#))
      #expect(error.reason.contains(": That requires authentication."))
      #expect(error.remedy.contains("OS_PASSWORD"))
    }
  }

  @Test func aTokenThatGlanceRefusesIsRenewedOnce() async throws {
    let seen = try await StubServer.run([
      .token("old"),
      Step(
        "GET", "/v2/images?limit=1&status=active",
        .answer(401, headers: ["WWW-Authenticate": "Keystone uri='http://h'"], "no")),
      .token("new"),
      Step("GET", "/v2/images?limit=1&status=active", .json(200, #"{"images": []}"#)),
    ]) { server in
      _ = try await Fixture.glance(server).checkAccess()
    }
    #expect(seen.map { $0.headers["x-auth-token"] } == [nil, "old", nil, "new"])
  }

  @Test func aTokenThatGlanceRefusesTwiceIsAnError() async throws {
    try await StubServer.run([
      .token("old"), Step("GET", "/v2/images?limit=1&status=active", .answer(401)),
      .token("new"), Step("GET", "/v2/images?limit=1&status=active", .answer(401)),
    ]) { server in
      let error = try await Fixture.failure { try await Fixture.glance(server).checkAccess() }
      #expect(error.code == .unauthorized)
    }
  }

  @Test func aTokenWithoutItsHeaderIsABadAnswer() async throws {
    let body = Fixture.token(glance: "http://h", issued: Date(), lifetime: 60)
    try await StubServer.run([Step("POST", "/v3/auth/tokens", .json(201, body))]) { server in
      let error = try await Fixture.failure { try await Fixture.glance(server).checkAccess() }
      #expect(error.code == .badAnswer)
      #expect(error.reason.contains("X-Subject-Token"))
    }
  }

  @Test func aServerThatIsNotThereIsUnreachable() async throws {
    let credentials = try Fixture.credentials("http://127.0.0.1:9")
    let store = GlanceStore(
      credentials: credentials, limits: Fixture.limits, logger: Fixture.quiet)
    let error = try await Fixture.failure { try await store.checkAccess() }
    #expect(error.code == .unreachable)
    #expect(error.reason.contains("http://127.0.0.1:9/v3/auth/tokens"))
  }

  @Test func aHostNameThatDoesNotResolveIsUnreachable() async throws {
    let credentials = try Fixture.credentials("http://keystone.invalid:5000")
    let store = GlanceStore(credentials: credentials, logger: Fixture.quiet)
    let error = try await Fixture.failure { try await store.checkAccess() }
    #expect(error.code == .unreachable)
    #expect(error.reason.contains("keystone.invalid"))
  }

  @Test func aServerThatNeverAnswersTimesOut() async throws {
    try await StubServer.run([Step("POST", "/v3/auth/tokens", .silence)]) { server in
      var limits = Fixture.limits
      limits.idle = .seconds(2)
      let store = try Fixture.glance(server, limits: limits)
      let error = try await Fixture.failure { try await store.checkAccess() }
      #expect(error.code == .timedOut)
    }
  }
}
