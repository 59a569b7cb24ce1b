import Testing

@testable import SnapshotCore

@Suite struct HostDevicesTests {
  private static let scsi = """
    <hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host2'/>
    <address bus='0' target='3' unit='1'/></source></hostdev>
    """
  private static let scsiHost = """
    <hostdev mode='subsystem' type='scsi_host'>
    <source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>
    """
  private static let vdpa = """
    <interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>
    """
  private static let memory = """
    <shmem name='peers' role='peer'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>
    """
  private static let ownMemory = """
    <shmem name='own' role='master'><model type='ivshmem-doorbell'/></shmem>
    """
  private static let oldMemory = "<shmem name='old'><model type='ivshmem'/></shmem>"
  private static let virtiofs = """
    <filesystem type='mount'><driver type='virtiofs'/><source dir='/srv'/><target dir='s'/>
    </filesystem>
    """

  private func parse(_ devices: String) throws -> DomainDescription {
    try DomainXML.parse(DomainXMLFixtures.guest(devices: devices))
  }

  @Test(
    "A device that keeps a guest from being saved is detached",
    arguments: [
      (scsi, "scsi scsi_host2:0:3:1"), (scsiHost, "scsi_host naa.5123456789abcde0"),
      (vdpa, "vdpa /dev/vhost-vdpa-0"), (memory, "shared memory peers"),
    ])
  func detached(_ xml: String, _ label: String) throws {
    let domain = try parse(xml)
    #expect(domain.hostDevices.map(\.label) == [label])
    #expect(domain.saveObstacle == nil)
  }

  @Test func `each of them is known by what it is on the host`() throws {
    let devices = [Self.scsi, Self.scsiHost, Self.vdpa, Self.memory]
    let keys = try devices.map { try DomainXML.hostDeviceKey($0) }
    #expect(Set(keys).count == devices.count)
    for (xml, key) in zip(devices, keys) {
      let found = try #require(try parse(xml).hostDevices.first)
      #expect(try DomainXML.hostDeviceKey(found.xml) == key)
    }
    let other = Self.scsi.replacing("scsi_host2", with: "scsi_host3")
    #expect(try DomainXML.hostDeviceKey(other) != keys[0])
  }

  @Test func `memory that the guest itself owns goes along`() throws {
    let domain = try parse(Self.ownMemory)
    #expect(domain.hostDevices == [] && domain.saveObstacle == nil)
  }

  @Test func `what can't be detached is an obstacle`() throws {
    #expect(try parse(Self.oldMemory).saveObstacle == .legacySharedMemory)
    #expect(try parse(Self.virtiofs).saveObstacle == .virtiofs)
    #expect(try parse(Self.virtiofs + Self.oldMemory).hostDevices == [])
  }
}
