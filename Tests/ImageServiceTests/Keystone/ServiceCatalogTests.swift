import Foundation
import Testing

@testable import ImageService

@Suite struct ServiceCatalogTests {
  static let catalog = ServiceCatalog(services: [
    .init(
      type: "imagev2",
      endpoints: [
        .init(interface: "public", region: "north", regionID: nil, url: "http://alias-north"),
        .init(interface: "public", region: "west", regionID: nil, url: "http://alias-west"),
      ]),
    .init(
      type: "image",
      endpoints: [
        .init(interface: "admin", region: "north", regionID: "north", url: "http://north-admin"),
        .init(interface: "internal", region: "north", regionID: "north", url: "http://north-int"),
        .init(interface: "public", region: "north", regionID: "north", url: "http://north-pub"),
        .init(interface: "public", region: "south", regionID: nil, url: "http://south-pub"),
        .init(interface: "internal", region: "empty", regionID: nil, url: ""),
      ]),
    .init(type: "compute", endpoints: []),
  ])

  @Test(arguments: [
    (nil, ["public"], "http://north-pub"),
    ("north", ["internal"], "http://north-int"),
    ("north", ["admin", "public"], "http://north-admin"),
    ("south", ["internal", "public"], "http://south-pub"),
    ("west", ["public"], "http://alias-west"),
  ])
  func theEndpointFitsRegionAndInterface(
    region: String?, interfaces: [String], url: String
  ) throws {
    let endpoints = try Self.catalog.imageEndpoints(region: region, interfaces: interfaces)
    #expect(endpoints.first?.url == url)
  }

  @Test(arguments: [("east", ["public"]), ("south", ["internal"]), ("empty", ["internal"])])
  func aMissingEndpointListsWhatIsThere(region: String, interfaces: [String]) throws {
    let error = try #require(throws: ImageServiceError.self) {
      try Self.catalog.imageEndpoints(region: region, interfaces: interfaces)
    }
    #expect(error.code == .badConfiguration)
    #expect(error.reason.contains(region))
    #expect(error.reason.contains("public in south"))
    #expect(error.reason.contains("internal in north"))
  }

  @Test func aCatalogWithoutAnImageServiceListsItsTypes() throws {
    let catalog = ServiceCatalog(services: [.init(type: "compute", endpoints: [])])
    let error = try #require(throws: ImageServiceError.self) {
      try catalog.imageEndpoints(region: nil, interfaces: ["public"])
    }
    #expect(error.reason.contains("only compute"))
  }

  @Test func anEmptyCatalogIsNamedAsSuch() throws {
    let error = try #require(throws: ImageServiceError.self) {
      try ServiceCatalog(services: []).imageEndpoints(region: nil, interfaces: ["public"])
    }
    #expect(error.reason.contains("empty"))
  }

  @Test(arguments: [
    ("http://h:9292", "v2", "http://h:9292/v2"),
    ("http://h:9292/", "v2", "http://h:9292/v2"),
    ("http://h:9292/v2", "v2", "http://h:9292/v2"),
    ("http://h:9292/v2/", "v2", "http://h:9292/v2"),
    ("https://h/image", "v2", "https://h/image/v2"),
    ("https://h/image/v2", "v2", "https://h/image/v2"),
    ("https://h/image/v2.0/", "v2", "https://h/image/v2"),
    ("http://h:5000", "v3", "http://h:5000/v3"),
    ("http://h/identity/v3", "v3", "http://h/identity/v3"),
    ("http://h:5000/v2.0", "v3", "http://h:5000/v3"),
    ("http://h/vault", "v3", "http://h/vault/v3"),
    ("HTTP://Cloud.Example:80/Path", "v3", "http://cloud.example/Path/v3"),
    ("https://h:443", "v3", "https://h/v3"), ("http://h:443", "v3", "http://h:443/v3"),
  ])
  func theVersionIsAppendedExactlyOnce(text: String, version: String, url: String) throws {
    #expect(
      try ServiceURL.base(text, version: version, source: "OS_AUTH_URL").absoluteString == url)
  }

  @Test(arguments: ["http://[::1]:5000", "https://[2001:db8::1]/identity/v3"])
  func `an IPv6 address is refused with what to do`(_ text: String) throws {
    let error = try #require(throws: ImageServiceError.self) {
      try ServiceURL.base(text, version: "v3", source: "OS_AUTH_URL")
    }
    #expect(error.code == .badConfiguration)
    #expect(error.reason.contains("OS_AUTH_URL has the IPv6 address "))
    #expect(error.remedy.contains("Set OS_AUTH_URL to a URL with a host name"))
  }

  @Test func `an entry that makes no sense does not fail the whole catalog`() throws {
    let json = """
      [{"type": 7}, "odd", null, {"type": "image", "endpoints": [
        {"interface": "public", "url": null}, 3,
        {"interface": "public", "region": "one", "url": "http://one"}]}]
      """
    let catalog = try JSONDecoder().decode(ServiceCatalog.self, from: Data(json.utf8))
    let endpoints = try catalog.imageEndpoints(region: nil, interfaces: ["public"])
    #expect(endpoints.map(\.url) == ["http://one"])
  }

  @Test(arguments: [
    "", "h:5000", "ftp://h/", "http://", "http://ann:s3cret@h:5000/v3", "not a url",
  ])
  func aUselessURLIsRefusedByTheNameOfItsVariable(text: String) throws {
    let error = try #require(throws: ImageServiceError.self) {
      try ServiceURL.base(text, version: "v3", source: "OS_AUTH_URL")
    }
    #expect(error.code == .badConfiguration)
    #expect(error.reason.hasPrefix("OS_AUTH_URL"))
    #expect(!error.description.contains("s3cret"))
  }
}
