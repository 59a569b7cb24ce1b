import Testing

@testable import SnapshotCore

@Suite struct DomainXMLTests {
  private func parse(_ text: String) throws -> DomainDescription { try DomainXML.parse(text) }

  private func disk(_ target: String, in text: String) throws -> DiskDescription {
    try #require(try parse(text).disks.first { $0.target == target })
  }

  @Test func `a running guest on an overlay is described in full`() throws {
    var expected = DomainDescription()
    expected.type = "kvm"
    expected.name = "fed18"
    expected.uuid = "542d3ac2-f77a-40f3-ba72-14ce4cab353c"
    expected.architecture = "x86_64"
    expected.machine = "pc-i440fx-7.2"
    expected.emulator = "/usr/bin/qemu-system-x86_64"
    expected.interfaceModel = "virtio"
    expected.videoModel = "qxl"
    expected.osInfoID = "http://fedoraproject.org/fedora/18"
    expected.agent = .connected
    expected.memory = 192 << 20
    expected.owner = .init(user: 64055, group: 107)
    var root = ServerFixture.disk(
      "vda", source: .file("/images/fed18.qcow2"), format: "qcow2", bootOrder: 1)
    root.backing = [
      .init(path: "/images/middle.qcow2", format: "qcow2"),
      .init(path: "/images/base.raw", format: "raw"),
    ]
    var cdrom = ServerFixture.disk(
      "sda", device: "cdrom", source: DiskDescription.Source.none, format: "raw", bootOrder: 2,
      isReadOnly: true)
    cdrom.bus = "sata"
    expected.disks = [root, cdrom]
    #expect(try parse(DomainXMLFixtures.overlay) == expected)
  }

  static let sources: [(String, DiskDescription.Source, String)] = [
    ("vda", .file("/images/plain & simple.raw"), "raw"),
    ("vdb", .block("/dev/vg0/root"), "raw"),
    ("vdc", .network(protocol: "rbd", name: "vms/disk"), "raw"),
    ("vdd", .other("volume"), "raw"),
    ("vde", .file("/images/secret.qcow2"), "qcow2"),
    ("vdf", .file("/images/old-style.qcow2"), "raw"),
    ("fda", .none, "raw"),
    ("sdb", .block("/dev/sdc"), "raw"),
  ]

  @Test(arguments: sources)
  func `a disk's source and format are those of the XML`(
    _ target: String, _ source: DiskDescription.Source, format: String
  ) throws {
    let disk = try disk(target, in: DomainXMLFixtures.sources)
    #expect(disk.source == source)
    #expect(disk.format == format)
  }

  @Test func `what is special about a disk is seen, and only there`() throws {
    let disks = try parse(DomainXMLFixtures.sources).disks
    #expect(disks.map(\.target) == Self.sources.map(\.0))
    #expect(disks.map(\.device) == Array(repeating: "disk", count: 6) + ["floppy", "lun"])
    #expect(disks.filter { $0.encryption == "luks" }.map(\.target) == ["vde"])
    #expect(disks.filter { $0.encryption == "qcow" }.map(\.target) == ["vdf"])
    #expect(disks.filter(\.isTransient).map(\.target) == ["vdf"])
    #expect(disks.filter(\.isReadOnly).map(\.target) == ["sdb"])
    #expect(disks.filter { $0.bus == nil }.map(\.target) == ["vdf"])
  }

  static let descriptions: [(DiskDescription.Source, String, String?)] = [
    (.none, "no media", nil),
    (.file("/a"), "/a", "/a"),
    (.block("/dev/a"), "block device /dev/a", "/dev/a"),
    (.network(protocol: "rbd", name: "p/i"), "rbd:p/i", nil),
    (.other("nvme"), "source of type 'nvme'", nil),
  ]

  @Test(arguments: descriptions)
  func `a source says what it is`(_ source: DiskDescription.Source, text: String, path: String?) {
    #expect(source.description == text)
    #expect(source.path == path)
  }

  @Test(arguments: [("yes" as String?, true), ("no", false), ("abort", false), (nil, false)])
  func `a mirror is ready when the XML says yes`(_ ready: String?, isReady: Bool) throws {
    let disk = try disk("vda", in: DomainXMLFixtures.mirror(ready: ready))
    #expect(disk.mirror == .init(path: "/spool/delta.qcow2", isReady: isReady))
    #expect(disk.source == .file("/images/m.qcow2"))
    #expect(disk.backing.isEmpty)
  }

  static let firmware: [(String, Bool, Bool)] = [
    ("<os/>", false, false),
    ("<os><loader type='rom'>/usr/share/seabios/bios.bin</loader></os>", false, false),
    ("<os><loader readonly='yes' type='pflash'>/OVMF_CODE.fd</loader></os>", true, false),
    (
      "<os><loader readonly='yes' secure='yes' type='pflash'>/OVMF_CODE.secboot.fd</loader>"
        + "<nvram>/g_VARS.fd</nvram></os>", true, true
    ),
    ("<os><loader secure='no' type='pflash'>/OVMF_CODE.fd</loader></os>", true, false),
    ("<os firmware='efi'/>", true, false),
    (
      "<os firmware='efi'><firmware><feature enabled='yes' name='enrolled-keys'/>"
        + "<feature enabled='yes' name='secure-boot'/></firmware></os>", true, true
    ),
    (
      "<os firmware='efi'><firmware><feature enabled='yes' name='enrolled-keys'/>"
        + "<feature enabled='no' name='secure-boot'/></firmware></os>", true, false
    ),
    ("<os firmware='bios'/>", false, false),
  ]

  @Test(arguments: firmware)
  func `firmware and secure boot are seen in both forms`(
    _ os: String, isUEFI: Bool, isSecureBoot: Bool
  ) throws {
    let domain = try parse(DomainXMLFixtures.guest(os: os))
    #expect(domain.isUEFI == isUEFI)
    #expect(domain.isSecureBoot == isSecureBoot)
  }

  static let tpms: [(String, DomainDescription.TPM?)] = [
    ("", nil),
    (
      "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>",
      .init(model: "tpm-crb", version: "2.0")
    ),
    (
      "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>",
      .init(model: "tpm-tis", version: "1.2")
    ),
    ("<tpm><backend type='passthrough'/></tpm>", hostTPM),
  ]
  private static var hostTPM: DomainDescription.TPM {
    var tpm = DomainDescription.TPM(model: "tpm-tis", version: nil)
    tpm.outlivesDefinition = true
    return tpm
  }

  @Test(arguments: tpms)
  func `a TPM is seen`(_ xml: String, tpm: DomainDescription.TPM?) throws {
    #expect(try parse(DomainXMLFixtures.guest(devices: xml)).tpm == tpm)
  }

  @Test func `the first SCSI controller counts, whatever other controllers there are`() throws {
    #expect(try parse(DomainXMLFixtures.sources).scsiModel == "virtio-scsi")
    #expect(
      try parse(DomainXMLFixtures.guest(devices: "<controller type='usb' model='ehci'/>")).scsiModel
        == nil)
  }

  @Test func `PCI, mdev and SR-IOV devices are found, USB does not hinder`() throws {
    typealias XML = DomainXMLFixtures
    let devices = try parse(XML.guest(devices: XML.usb + XML.sriov + XML.pci + XML.mdev))
      .hostDevices
    #expect(
      devices.map(\.label) == [
        "pci 0000:03:00:1", "mdev c2177883-f1bb-47f0-914d-32a22e3a8804",
        "hostdev 0000:00:07:0",
      ])
    #expect(devices[0].xml.hasPrefix("<hostdev "))
    #expect(devices[2].xml.hasPrefix("<interface "))
  }

  @Test func `a host device's element is complete enough to attach it again`() throws {
    typealias XML = DomainXMLFixtures
    let first = try #require(try parse(XML.guest(devices: XML.pci)).hostDevices.first)
    let again = try #require(try parse(XML.guest(devices: first.xml)).hostDevices.first)
    #expect(again == first)
    #expect(first.xml.contains("managed=\"yes\""))
  }

  @Test func `a host device is known by its address on the host alone`() throws {
    typealias XML = DomainXMLFixtures
    let elsewhere = XML.pci.replacing("slot='0x06'", with: "slot='0x09'")
    let other = XML.pci.replacing("bus='0x03'", with: "bus='0x04'")
    let key = try DomainXML.hostDeviceKey(XML.pci)
    #expect(try DomainXML.hostDeviceKey(elsewhere) == key)
    #expect(try DomainXML.hostDeviceKey(other) != key)
    #expect(try DomainXML.hostDeviceKey(XML.mdev) != key)
  }

  private static let agentName = "name='org.qemu.guest_agent.0'"
  static let agents: [(String, DomainDescription.Agent)] = [
    ("", .absent),
    ("<channel type='unix'><target type='virtio' \(agentName)/></channel>", .disconnected),
    (
      "<channel type='unix'><target type='virtio' \(agentName) state='disconnected'/></channel>",
      .disconnected
    ),
    (
      "<channel type='unix'><target type='virtio' \(agentName) state='connected'/></channel>",
      .connected
    ),
    (
      "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0' "
        + "state='connected'/></channel>", .absent
    ),
    (
      "<channel><target type='virtio' name='com.redhat.spice.0' state='disconnected'/></channel>"
        + "<channel><target type='virtio' \(agentName) state='connected'/></channel>", .connected
    ),
  ]

  @Test(arguments: agents)
  func `the guest agent's channel is seen`(_ xml: String, agent: DomainDescription.Agent) throws {
    #expect(try parse(DomainXMLFixtures.guest(devices: xml)).agent == agent)
  }

  static let owners: [(String, DomainDescription.Owner?)] = [
    ("", nil),
    (
      "<seclabel model='dac' relabel='yes'><label>+0:+0</label></seclabel>",
      .init(user: 0, group: 0)
    ),
    (
      "<seclabel model='dac'><label>64055:107</label></seclabel>",
      .init(user: 64055, group: 107)
    ),
    ("<seclabel model='dac'><label>libvirt-qemu:kvm</label></seclabel>", nil),
    ("<seclabel model='dac' type='none'/>", nil),
    ("<seclabel model='selinux'><label>+1:+2</label></seclabel>", nil),
  ]

  @Test(arguments: owners)
  func `the user QEMU runs as is read from the DAC label`(
    _ xml: String, owner: DomainDescription.Owner?
  ) throws {
    #expect(try parse(DomainXMLFixtures.guest(rest: xml)).owner == owner)
  }

  @Test func `other metadata is not libosinfo`() throws {
    let xml = DomainXMLFixtures.guest(
      rest: "<metadata><nova:instance xmlns:nova='http://openstack.org/x'><nova:os id='no'/>"
        + "</nova:instance></metadata>")
    #expect(try parse(xml).osInfoID == nil)
  }

  @Test func `a container has no disks`() throws {
    let domain = try parse(DomainXMLFixtures.container)
    #expect(domain.type == "lxc")
    #expect(domain.disks.isEmpty)
    #expect(domain.machine == nil)
  }

  @Test func `a name may hold anything XML can say`() throws {
    let xml = "<domain><name>it&apos;s &lt;Ü&gt; &#x1F600;</name><uuid>u</uuid></domain>"
    #expect(try parse(xml).name == "it's <Ü> 😀")
  }

  @Test func `a backing store without a stated format or path ends the chain`() throws {
    for store in [
      "<backingStore type='file'><source file='/b'/></backingStore>",
      "<backingStore type='file'><format type='raw'/></backingStore>",
      "<backingStore type='network'><format type='raw'/><source protocol='rbd' name='a/b'/>"
        + "</backingStore>",
    ] {
      let xml = DomainXMLFixtures.guest(
        devices: "<disk type='file'><source file='/a'/>\(store)<target dev='vda'/></disk>")
      #expect(try disk("vda", in: xml).backing.isEmpty, "\(store)")
    }
  }
}
