import Foundation
import Libvirt
import Testing

/// Real failures of real libvirt calls.
@Suite struct LibvirtErrorTests {
  private func server() async throws -> Domain {
    let connection = try await Connection.open(uri: "test:///default")
    return try #require(try await connection.domain(name: "test"))
  }

  @Test func `a failed call says code, domain, operation and object`() async throws {
    let server = try await server()
    let error = await #expect(throws: LibvirtError.self) { try await server.start() }
    #expect(error?.operation == "virDomainCreateWithFlags")
    #expect(error?.object == "server 'test'")
    #expect(error?.code == .internalError)
    // VIR_FROM_TEST
    #expect(error?.domain == 12)
    #expect(error?.message.contains("already running") == true)
    #expect(
      error?.description
        == "virDomainCreateWithFlags on server 'test' failed: \(error?.message ?? "") "
        + "(libvirt code 1, domain 12)")
  }

  @Test func `a call that the driver does not have is told by its code`() async throws {
    let server = try await server()
    let error = await #expect(throws: LibvirtError.self) {
      try await server.blockJob(onDisk: "vda")
    }
    #expect(error?.code == .noSupport)
    #expect(error?.object == "disk 'vda' of server 'test'")
  }

  @Test func `a failure on the connection names the URI`() async throws {
    let connection = try await Connection.open(uri: "test:///default")
    let error = await #expect(throws: LibvirtError.self) {
      try await connection.define(xml: "<domain type='nonsense'>\n<name>a</name>\n")
    }
    #expect(error?.operation == "virDomainDefineXML")
    #expect(error?.object == "test:///default")
    #expect(error?.code != .noDomain)
  }

  @Test func `a message of several lines becomes one`() async throws {
    let connection = try await Connection.open(uri: "test:///default")
    // libxml2's complaint shows the line and a mark below it.
    let error = await #expect(throws: LibvirtError.self) {
      try await connection.define(xml: "<domain><a></b></domain>")
    }
    let failure = try #require(error)
    #expect(failure.message.contains("^"))
    #expect(!failure.message.contains { $0.isNewline })
    #expect(!failure.description.contains { $0.isNewline })
  }

  @Test func `the error is of the call that failed and not of an earlier one`() async throws {
    let server = try await server()
    for _ in 1...20 {
      async let first = #expect(throws: LibvirtError.self) { try await server.start() }
      async let second = #expect(throws: LibvirtError.self) {
        try await server.blockJob(onDisk: "vda")
      }
      #expect(await first?.code == .internalError)
      #expect(await second?.code == .noSupport)
    }
  }

  static let badURIs: [(String, String)] = [
    ("test:///nonexistent/file.xml", "/nonexistent/file.xml"),
    ("qemu+unix:///system?socket=/nonexistent/socket", "/nonexistent/socket"),
    ("nosuch:///x", ""),
    ("::::", ""),
    ("http://[", ""),
  ]

  @Test(arguments: badURIs)
  func `a URI that leads nowhere is named`(_ uri: String, named: String) async throws {
    let failure = await #expect(throws: LibvirtError.self) { try await Connection.open(uri: uri) }
    let error = try #require(failure)
    #expect(error.operation == "virConnectOpen")
    #expect(error.object == uri)
    if !named.isEmpty { #expect(error.message.contains(named)) }
    #expect(!error.message.contains { $0.isNewline })
    #expect(error.message != "no reason was given")
  }

  @Test func `an error can be made of parts`() {
    let error = LibvirtError(
      operation: "o", object: "b", code: .init(rawValue: 7), message: "m")
    #expect(error.description == "o on b failed: m (libvirt code 7, domain 0)")
  }

  static let codes: [(LibvirtError.Code, Int32)] = [
    (.internalError, 1), (.noSupport, 3), (.operationFailed, 9), (.systemError, 38),
    (.noDomain, 42), (.authFailed, 45), (.operationInvalid, 55), (.configUnsupported, 67),
    (.operationTimeout, 68), (.argumentUnsupported, 74), (.agentUnresponsive, 86),
  ]

  @Test(arguments: codes)
  func `a code has libvirt's number`(_ code: LibvirtError.Code, number: Int32) {
    #expect(code.rawValue == number)
    #expect(LibvirtError.Code(rawValue: number) == code)
  }
}
