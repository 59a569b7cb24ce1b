import Libvirt
import Testing

@testable import SnapshotCore

@Suite struct BackupTests {
  @Test
  func `a backup names every disk, so that libvirt takes no other and puts nothing elsewhere`() {
    let disks = [
      ServerFixture.disk("vda"), ServerFixture.disk("vdb"),
      ServerFixture.disk("sda", device: "cdrom", source: DiskDescription.Source.none),
      ServerFixture.disk("sdb", device: "cdrom", isReadOnly: true),
    ]
    let xml = Backup.xml(
      disks: disks, chosen: "vdb", socket: "/s/nbd.sock", scratch: "/it's/scratch.qcow2")
    #expect(
      xml == """
        <domainbackup mode='pull'>
          <server transport='unix' socket='/s/nbd.sock'/>
          <disks><disk name='vda' backup='no'/>\
        <disk name='vdb' backup='yes' type='file' exportname='vdb'>\
        <driver type='qcow2'/><scratch file='/it&apos;s/scratch.qcow2'/></disk></disks>
        </domainbackup>
        """)
  }
}
