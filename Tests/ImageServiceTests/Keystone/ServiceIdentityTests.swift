import Foundation
import Testing

@testable import ImageService

/// Whether the image of a dead run is in the image service that the environment names.
@Suite struct ServiceIdentityTests {
  static func identity(
    project: String = "p1", region: String? = "one", endpoint: String = "http://g:9292/v2",
    keystone: String = "http://k:5000/v3"
  ) -> ServiceIdentity {
    ServiceIdentity(keystone: keystone, project: project, region: region, endpoint: endpoint)
  }

  @Test(arguments: [
    (identity(), true),
    (identity(keystone: "https://public.example.org/v3"), true),
    (identity(endpoint: "http://internal:9292/v2"), true),
    (identity(region: nil), true),
    (identity(region: nil, endpoint: "http://other:9292/v2"), false),
    (identity(region: "two", endpoint: "http://other:9292/v2"), false),
    (identity(project: "p2"), false),
  ])
  func `a project in a region is the same by whatever name and endpoint`(
    _ other: ServiceIdentity, isSame: Bool
  ) {
    #expect(Self.identity().isSame(as: other) == isSame)
    #expect(other.isSame(as: Self.identity()) == isSame)
  }

  @Test func `a project by name has the identity of the project by id`() async throws {
    try await StubServer.run([.token(), .token()]) { server in
      let byName = try await Fixture.glance(server).identity()
      let credentials = try Credentials(
        authURL: server.url + "/v3/", user: .id("user-1"), password: Secret("x"),
        project: .id("project-1"))
      let byID = try await GlanceStore(credentials: credentials, logger: Fixture.quiet).identity()
      #expect(byName == byID)
      #expect(byName.project == "project-1")
      #expect(byName.region == "one")
      #expect(byName.endpoint == server.url + "/v2")
    }
  }
}
