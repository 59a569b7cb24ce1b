import Libvirt
import Testing

@testable import SnapshotCore

/// Finding a server, on libvirt's test driver.
@Suite struct ServerLookupTests {
  private static let defaultUUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"

  @Test(arguments: ["test", "TEST", defaultUUID, "1", "6695EB01F6A4830479AA97F2502E193F", " test!"])
  func `a server is found by name, by UUID, by a loosely typed name and by id`(_ text: String)
    async throws
  {
    let connection = try await Connection.open(uri: "test:///default")
    let found = try await ServerLookup.find(text, on: connection)
    #expect(found.name == "test")
    #expect(found.uuid == Self.defaultUUID)
  }

  @Test(arguments: [
    "nosuch", "99", "-1", "99999999999", "", "te st", "6695eb01-f6a4-8304-79aa-97f2502e1930",
    "deadbeef-dead-beef-dead-beefdeadbee", "6-695eb01f6a4830479aa97f2502e193f",
    "---6695eb01-f6a4-8304-79aa-97f2502e193f", "６695eb01f6a4830479aa97f2502e193f",
  ])
  func `no server is said in nova's words`(_ text: String) async throws {
    let connection = try await Connection.open(uri: "test:///default")
    let error = await #expect(throws: SnapshotError.self) {
      try await ServerLookup.find(text, on: connection)
    }
    #expect(error?.code == .serverNotFound)
    #expect(
      error?.reason == "No server with a name or ID of '\(text)' exists (at test:///default)")
    #expect(
      error?.remedy == "List them with `virsh -c test:///default list --all`, or name another "
        + "connection with --connect")
  }

  @Test func `several servers are said in nova's words, with their UUIDs`() async throws {
    let one = TestDriver.Server(name: "Web Server")
    let two = TestDriver.Server(name: "web-server")
    let driver = try await TestDriver([one, two, .init(name: "webserver")])
    let error = await #expect(throws: SnapshotError.self) {
      try await ServerLookup.find("WEB server", on: driver.connection)
    }
    #expect(error?.code == .severalServers)
    #expect(
      error?.reason
        == "Multiple server matches found for 'WEB server', use an ID to be more specific")
    #expect(error?.remedy.contains("Web Server (\(one.uuid))") == true)
    #expect(error?.remedy.contains("web-server (\(two.uuid))") == true)
    #expect(error?.remedy.contains("webserver") == false)
  }

  @Test func `an exact name wins over loosely equal ones`() async throws {
    let driver = try await TestDriver([.init(name: "Web Server"), .init(name: "web-server")])
    for name in ["Web Server", "web-server"] {
      #expect(try await ServerLookup.find(name, on: driver.connection).name == name)
    }
  }

  @Test func `a UUID wins over a name that looks like it`() async throws {
    let wanted = TestDriver.Server(name: "wanted")
    let driver = try await TestDriver([.init(name: wanted.uuid), wanted])
    #expect(try await ServerLookup.find(wanted.uuid, on: driver.connection).name == "wanted")
  }

  @Test func `a name that is a number wins over the id`() async throws {
    let driver = try await TestDriver([.init(name: "2"), .init(name: "other")])
    let named = try await ServerLookup.find("2", on: driver.connection)
    #expect(named.name == "2")
    #expect(try await named.id() == 1)
  }

  @Test func `a name of 32 hexadecimal digits with hyphens anywhere is a name`() async throws {
    let name = "a-b-cdef0123456789abcdef0123456789"
    let driver = try await TestDriver([.init(name: name)])
    #expect(try await ServerLookup.find(name, on: driver.connection).name == name)
  }

  @Test(arguments: [
    ("Web Server", "web-server"), ("web_server.1", "web_server-1"), ("--a--", "a"),
    ("É 1", "é-1"), ("", ""), ("!!!", ""),
  ])
  func `a loosely typed name is nova's human id`(_ name: String, id: String) {
    #expect(ServerLookup.humanID(name) == id)
  }

  @Test(arguments: [
    ("6695eb01-f6a4-8304-79aa-97f2502e193f", true), ("6695EB01F6A4830479AA97F2502E193F", true),
    ("6695eb01-f6a4-8304-79aa-97f2502e193", false), ("6695eb01-f6a4-8304-79aa-97f2502e193g", false),
    ("6-695eb01f6a4830479aa97f2502e193f", false), ("6695eb01-f6a48304-79aa-97f2502e193f", false),
    ("６695eb01f6a4830479aa97f2502e193f", false), ("fed18", false), ("", false),
  ])
  func `a UUID is 32 hexadecimal digits, with hyphens in their places or none`(
    _ text: String, isUUID: Bool
  ) {
    #expect(ServerLookup.isUUID(text) == isUUID)
  }
}
