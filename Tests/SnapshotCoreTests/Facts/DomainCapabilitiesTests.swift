import Testing

@testable import SnapshotCore

@Suite struct DomainCapabilitiesTests {
  private static func text(_ features: String) -> String {
    """
    <domainCapabilities>
      <path>/usr/bin/qemu-system-x86_64</path>
      <devices><backup supported='yes'/></devices>
      <features><gic supported='no'/>\(features)</features>
    </domainCapabilities>
    """
  }

  static let texts: [(String, Bool?)] = [
    (text("<backup supported='yes'/>"), true),
    (text("<backup supported='no'/>"), false),
    (text("<backup/>"), nil),
    (text(""), nil),
    ("<domainCapabilities><features>", nil),
    ("", nil),
  ]

  @Test(arguments: texts)
  func `libvirt tells whether the emulator has backup jobs`(_ text: String, _ has: Bool?) {
    #expect(DomainCapabilities.hasBackupJobs(text) == has)
  }

  static let tpms: [(String, Bool)] = [
    ("<backend type='emulator' version='2.0'/>", false),
    ("<backend type='emulator' version='2.0' persistent_state='no'/>", false),
    ("<backend type='emulator' version='2.0' persistent_state='yes'/>", true),
    ("<backend type='passthrough'><device path='/dev/tpm0'/></backend>", true),
    ("", false),
  ]

  @Test(arguments: tpms)
  func `a TPM's state outlives the definition if the XML says so`(_ backend: String, _ lasts: Bool)
    throws
  {
    let domain = try DomainXML.parse(
      """
      <domain type='kvm'><name>a</name><uuid>1</uuid><devices>
      <emulator>/usr/bin/q</emulator><tpm model='tpm-crb'>\(backend)</tpm></devices></domain>
      """)
    #expect(domain.tpm?.outlivesDefinition == lasts)
    #expect(domain.emulator == "/usr/bin/q")
  }
}
