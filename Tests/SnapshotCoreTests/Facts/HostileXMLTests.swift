import Foundation
import Testing

@testable import SnapshotCore

/// Texts that libvirt would never write.
@Suite struct HostileXMLTests {
  static let garbage: [(String, String)] = [
    ("nothing", ""),
    ("white space", " \n\t"),
    ("prose", "error: failed to get domain 'x'"),
    ("JSON", "{\"name\": \"x\"}"),
    ("another root", "<domainsnapshot><name>x</name><uuid>y</uuid></domainsnapshot>"),
    ("HTML", "<!DOCTYPE html><html><body>502</body></html>"),
    ("an empty domain", "<domain/>"),
    ("no name", "<domain><uuid>y</uuid></domain>"),
    ("no uuid", "<domain><name>x</name></domain>"),
    ("cut in the middle", String(DomainXMLFixtures.overlay.prefix(1200))),
    ("an end tag without start", "<domain><name>x</name><uuid>y</uuid></disk></domain>"),
    ("an undeclared entity", "<domain><name>&who;</name><uuid>y</uuid></domain>"),
    ("a null byte", "<domain><name>x\u{0}</name><uuid>y</uuid></domain>"),
    ("two roots", "<domain><name>x</name><uuid>y</uuid></domain><domain/>"),
    ("an empty name", "<domain><name></name><uuid>y</uuid></domain>"),
    ("an empty uuid", "<domain><name>x</name><uuid/></domain>"),
  ]

  @Test(arguments: garbage)
  func `what is no domain XML is refused in words`(_ name: String, text: String) throws {
    let error = try #require(throws: SnapshotError.self) { try DomainXML.parse(text) }
    #expect(error.code == .badXML)
    #expect(error.reason.hasPrefix("the domain XML was not understood: it"))
    #expect(error.remedy == "Check it with `virsh dumpxml` and `virt-xml-validate`")
  }

  /// What a parse gave, if anything, as text to search in.
  private func everything(_ text: String) -> String {
    do {
      return "\(try DomainXML.parse(text))"
    } catch {
      return "\(error) \(error.cause.map { "\($0)" } ?? "")"
    }
  }

  @Test(arguments: ["file://PATH", "PATH"])
  func `a file that an external entity names is not read`(_ form: String) throws {
    let path = NSTemporaryDirectory() + "/image-create-entity-\(UUID().uuidString)"
    try "MARK-OF-THE-FILE".write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let url = form.replacing("PATH", with: path)
    let uses = """
      <domain><name>&x;</name><uuid>&x;</uuid><devices><disk type='file'>\
      <source file='/a'/><target dev='vda'/></disk></devices></domain>
      """
    for declaration in [
      "<!DOCTYPE domain [<!ENTITY x SYSTEM \"\(url)\">]>",
      "<!DOCTYPE domain [<!ENTITY % p SYSTEM \"\(url)\"> %p; <!ENTITY x \"y\">]>",
      "<!DOCTYPE domain SYSTEM \"\(url)\" [<!ENTITY x \"y\">]>",
    ] {
      #expect(!everything(declaration + uses).contains("MARK-OF"), "\(declaration)")
    }
    let account = "<!DOCTYPE domain [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" + uses
    #expect(!everything(account).contains("root:"))
  }

  @Test func `entities that multiply do not take the machine down`() {
    var entities = "<!ENTITY a0 \"lollollollol\">"
    for level in 1...12 {
      entities +=
        "<!ENTITY a\(level) \"" + String(repeating: "&a\(level - 1);", count: 10) + "\">"
    }
    let bomb = """
      <!DOCTYPE domain [\(entities)]>
      <domain><name>&a12;</name><uuid>u</uuid></domain>
      """
    let start = ContinuousClock.now
    #expect(everything(bomb).utf8.count < 1 << 20)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test func `an attribute of multiplying entities does not either`() {
    var entities = "<!ENTITY a0 \"lollollollol\">"
    for level in 1...12 {
      entities +=
        "<!ENTITY a\(level) \"" + String(repeating: "&a\(level - 1);", count: 10) + "\">"
    }
    let bomb = """
      <!DOCTYPE domain [\(entities)]>
      <domain type='&a12;'><name>n</name><uuid>u</uuid></domain>
      """
    let start = ContinuousClock.now
    #expect(everything(bomb).utf8.count < 1 << 20)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test(arguments: ["x", "<", "<a>", "&", "\u{1F600}"])
  func `ten megabytes of garbage are refused in bounded time`(_ piece: String) throws {
    let text = String(repeating: piece, count: 10_000_000 / piece.utf8.count)
    let start = ContinuousClock.now
    let error = try #require(throws: SnapshotError.self) { try DomainXML.parse(text) }
    #expect(error.code == .badXML)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test(arguments: [100, 10_000, 100_000])
  func `deep nesting does not end the process`(_ depth: Int) {
    let text =
      "<domain><name>n</name><uuid>u</uuid>" + String(repeating: "<a>", count: depth)
      + String(repeating: "</a>", count: depth) + "</domain>"
    let outcome = Result { try DomainXML.parse(text) }
    switch outcome {
    case .success(let domain): #expect(domain.name == "n")
    case .failure(let error): #expect((error as? SnapshotError)?.code == .badXML)
    }
  }

  @Test(arguments: [(200, 200...200), (10_000, 0...10_000)])
  func `a long chain of backing stores does not end the process`(
    _ length: Int, expected: ClosedRange<Int>
  ) throws {
    let store = "<backingStore type='file'><format type='raw'/><source file='/b'/>"
    let xml = DomainXMLFixtures.guest(
      devices: "<disk type='file'><source file='/a'/><target dev='vda'/>"
        + String(repeating: store, count: length)
        + String(repeating: "</backingStore>", count: length) + "</disk>")
    // libxml2, and so libvirt itself, reads no deeper than 256 elements.
    let outcome = Result { try DomainXML.parse(xml).disks.first?.backing.count ?? -1 }
    switch outcome {
    case .success(let count): #expect(expected.contains(count))
    case .failure(let error):
      #expect((error as? SnapshotError)?.code == .badXML)
      #expect(expected.contains(0))
    }
  }

  @Test(arguments: [
    "<n:instance n:x='1'/>", "<instance xmlns='relative'/>", "<n:instance xmlns:n='relative'/>",
    "<!-- & < --><x><![CDATA[<a> & <]]></x>", "<?php echo ?>", "<x>&lt;!DOCTYPE x&gt;</x>",
  ])
  func `odd but well-formed metadata of others does no harm`(_ metadata: String) throws {
    let xml = DomainXMLFixtures.guest(rest: "<metadata>\(metadata)</metadata>")
    #expect(try DomainXML.parse(xml).name == "g")
  }

  @Test(arguments: ["", "<hostdev", "<hostdev></host>"])
  func `a host device that is no XML is refused`(_ text: String) throws {
    let error = try #require(throws: SnapshotError.self) {
      try DomainXML.hostDeviceKey(text)
    }
    #expect(error.code == .badXML)
  }
}
