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

  static let sockets = [
    ("/s/nbd.sock", "nbd+unix:///vda?socket=/s/nbd.sock"),
    ("/a b/nbd.sock", "nbd+unix:///vda?socket=/a%20b/nbd.sock"),
    ("/a?b#c%d/s", "nbd+unix:///vda?socket=/a%3Fb%23c%25d/s"),
    ("/a&b;c/s", "nbd+unix:///vda?socket=/a%26b%3Bc/s"),
  ]

  @Test(arguments: sockets)
  func `an export is named by a URI that QEMU takes apart again`(_ socket: String, uri: String) {
    let file = DiskFile.export(name: "vda", socket: socket)
    #expect(file.path == uri)
    #expect(file.format == "raw")
    #expect(file.export == NBDExport(socketPath: socket, name: "vda"))
  }
}
