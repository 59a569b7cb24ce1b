import Foundation
import Testing

@testable import SnapshotCore

/// The exact refusal of XML that would read files or multiply.
@Suite struct HostileXMLErrorTests {
  private static let domain = "<domain><name>n</name><uuid>u</uuid></domain>"

  static let refused: [(String, String)] = [
    ("<!DOCTYPE d [<!ENTITY a \"b\">]>" + domain, "it has a document type or a null byte"),
    (
      "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/shadow\">]><domain>&x;</domain>",
      "it has a document type or a null byte"
    ),
    ("<?xml version='1.0'?>\n<!DOCTYPE d>" + domain, "it has a document type or a null byte"),
    (domain + "\0", "it has a document type or a null byte"),
    (domain + String(repeating: " ", count: 4 << 20), "it is larger than 4 MiB"),
    ("<!DOCTYPE\u{301} d>" + domain, "it has a document type or a null byte"),
    ("<!doctype d>" + domain, "it is not well-formed"),
    ("\u{600}<!DOCTYPE d>" + domain, "it has a document type or a null byte"),
    ("<domain><name>&lt</name></domain>", "it is not well-formed"),
    ("<domain><name>n</name></domain>", "it has no <name> or no <uuid>"),
    ("<network/>", "its root element is not <domain>"),
  ]

  @Test(arguments: refused)
  func `it is refused with the exact reason`(_ xml: String, reason: String) throws {
    let error = try #require(throws: SnapshotError.self) { try DomainXML.parse(xml) }
    #expect(error.code == .badXML)
    #expect(error.reason == "the domain XML was not understood: \(reason)")
    #expect(error.remedy == "Check it with `virsh dumpxml` and `virt-xml-validate`")
  }
}
