import Foundation
import Testing

@testable import ImageService

/// What a user is told of the image endpoint that was taken from the catalog.
@Suite struct EndpointWarningTests {
  private static func warnings(
    _ authURL: String, region: String? = nil, endpoints: [(region: String, url: String)]
  ) throws -> [String] {
    let list = endpoints.map {
      #"{"interface": "public", "region_id": "\#($0.region)", "url": "\#($0.url)"}"#
    }
    let body = """
      {"token": {"user": {"id": "u"}, "project": {"id": "p"}, "catalog": [
        {"type": "image", "endpoints": [\(list.joined(separator: ","))]}]}}
      """
    let credentials = try Fixture.credentials(authURL, region: region)
    let session = KeystoneSession(
      credentials: credentials,
      transport: Transport(limits: Fixture.limits, logger: Fixture.quiet), logger: Fixture.quiet)
    let token = try Token(
      HTTPAnswer(
        request: HTTPRequest(method: "POST", url: credentials.authURL), status: 201,
        headers: ["X-Subject-Token": "t"], body: Data(body.utf8)))
    return session.endpointWarnings(token)
  }

  @Test func `without a region the one that is taken is named`() throws {
    let two = [("north", "http://n"), ("south", "http://s")]
    let warnings = try Self.warnings("http://k", endpoints: two)
    #expect(warnings.count == 1)
    #expect(warnings[0].hasPrefix("the image goes to region north, the first of north, south;"))
    #expect(try Self.warnings("http://k", region: "south", endpoints: two).isEmpty)
    #expect(try Self.warnings("http://k", endpoints: [("north", "http://n")]).isEmpty)
  }

  @Test func `an image endpoint without TLS behind a Keystone with TLS is warned of`() throws {
    let warnings = try Self.warnings("https://k", endpoints: [("north", "http://n:9292")])
    #expect(warnings.count == 1)
    #expect(warnings[0].contains("http://n:9292/v2"))
    #expect(warnings[0].contains("unencrypted"))
    #expect(try Self.warnings("https://k", endpoints: [("north", "https://n:9292")]).isEmpty)
    #expect(try Self.warnings("http://k", endpoints: [("north", "http://n:9292")]).isEmpty)
  }
}
