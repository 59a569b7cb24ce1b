import Foundation
import Libvirt
import Testing

/// The test driver: nothing runs, every call is real.
@Suite struct ConnectionTests {
  private func server() async throws -> Domain {
    let path = NSTemporaryDirectory() + "/image-create-libvirt-\(UUID().uuidString).xml"
    try """
    <node><domain type='test'><name>it's one</name><memory>1024</memory><vcpu>1</vcpu>
    <uuid>11111111-2222-3333-4444-555555555555</uuid><os><type>hvm</type></os></domain></node>
    """.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let connection = try await Connection.open(uri: "test://\(path)")
    return try #require(try await connection.domain(name: "it's one"))
  }

  @Test func `a connection says what it is`() async throws {
    let connection = try await Connection.open(uri: "test:///default")
    #expect(connection.uri == "test:///default")
    #expect(try await connection.hypervisorType().uppercased() == "TEST")
    #expect(try await connection.daemonVersion() >= Version(1, 0))
  }

  @Test func `a server is found by name, UUID and id, and one that is not there is nil`()
    async throws
  {
    let server = try await server()
    let connection = server.connection
    let uuid = "11111111-2222-3333-4444-555555555555"
    #expect(server.uuid == uuid)
    #expect(try await connection.domain(uuid: uuid)?.name == "it's one")
    #expect(try await connection.domain(id: 1)?.name == "it's one")
    #expect(try await connection.domains().map(\.name) == ["it's one"])
    #expect(try await connection.domain(name: "two") == nil)
    #expect(try await connection.domain(id: 2) == nil)
    #expect(
      try await connection.domain(uuid: "11111111-2222-3333-4444-666666666666") == nil)
  }

  @Test func `a managed save and a start leave a running server`() async throws {
    let server = try await server()
    #expect(try await server.state() == .running)
    #expect(try await server.id() == 1)
    try await server.managedSave()
    #expect(try await server.state() == .shutOff)
    #expect(try await server.id() == nil)
    #expect(try await server.hasManagedSaveImage())
    try await server.start()
    #expect(try await server.state() == .running)
    #expect(try await server.hasManagedSaveImage() == false)
  }

  @Test func `an undefined server runs on as a transient one and can be defined again`()
    async throws
  {
    let server = try await server()
    let connection = server.connection
    try await server.setAutostart(true)
    #expect(try await server.autostarts())
    let xml = try await server.xml([.secure, .inactive])
    try await server.undefine(keeping: [])
    #expect(try await server.isPersistent() == false)
    #expect(try await server.state() == .running)
    #expect(try await connection.define(xml: xml).uuid == server.uuid)
    #expect(try await server.isPersistent())
    #expect(try await server.xml([.secure, .inactive]) == xml)
  }

  @Test func `file systems are frozen and thawed`() async throws {
    let server = try await server()
    let count = try await server.freeze()
    #expect(count > 0)
    #expect(try await server.thaw() == count)
    #expect(try await server.thaw() == 0)
  }

  @Test func `what a driver does not count is none`() async throws {
    let server = try await server()
    #expect(try await server.snapshotCount() == 0)
    #expect(try await server.checkpointCount() == 0)
    #expect(try await server.job() == nil)
  }

  static let states: [(DomainState, Int32, String)] = [
    (.noState, 0, "no state"), (.running, 1, "running"), (.blocked, 2, "blocked"),
    (.paused, 3, "paused"), (.shuttingDown, 4, "in shutdown"), (.shutOff, 5, "shut off"),
    (.crashed, 6, "crashed"), (.suspended, 7, "pmsuspended"),
  ]

  @Test(arguments: states)
  func `a state has libvirt's number and virsh's word`(
    _ state: DomainState, number: Int32, word: String
  ) {
    #expect(state.rawValue == number)
    #expect(state.description == word)
  }
}
