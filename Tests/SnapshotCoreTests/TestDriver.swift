import Foundation
import Libvirt

@testable import SnapshotCore

/// libvirt's own test driver with a private set of servers: nothing runs, and every call is real.
struct TestDriver {
  let connection: Connection

  /// A server's name and UUID, and what its `<devices>` holds.
  struct Server {
    let name: String
    var uuid = UUID().uuidString.lowercased()
    var devices = ""
    /// What it does at first, as `virDomainState` numbers it.
    var state = 1

    var xml: String {
      """
      <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>\(name.escapedForXML)</name><uuid>\(uuid)</uuid>
      <memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os>
      <devices>\(devices)</devices><test:runstate>\(state)</test:runstate></domain>
      """
    }
  }

  /// Opens a connection to exactly these servers, all running.
  init(_ servers: [Server]) async throws {
    let path = NSTemporaryDirectory() + "/image-create-test-driver-\(UUID().uuidString).xml"
    let xml = "<node>" + servers.map(\.xml).joined() + "</node>"
    try xml.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    connection = try await Connection.open(uri: "test://\(path)")
  }

  /// The only server of a connection with one.
  static func server(_ name: String = "one", devices: String = "") async throws -> Domain {
    let driver = try await TestDriver([Server(name: name, devices: devices)])
    guard let domain = try await driver.connection.domain(name: name) else {
      throw Missing(name: name)
    }
    return domain
  }

  struct Missing: Error { let name: String }
}
