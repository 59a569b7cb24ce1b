import Foundation
import QemuTools
import Testing

@testable import SnapshotCore

/// Whether a file of a run has become part of a server's disk.
@Suite struct FileUseTests {
  private static let delta = "/spool/1/delta.qcow2"

  private func use(_ disk: String, of path: String = delta) throws -> FileUse? {
    FileUse(
      of: path,
      by: try DomainXML.parse(
        """
        <domain type='kvm'><name>a</name><uuid>b19eb9f1-654a-41ec-847c-bbcc61f7a271</uuid>
        <devices><disk type='file'><driver type='qcow2'/>\(disk)<target dev='vda'/></disk></devices>
        </domain>
        """))
  }

  @Test(arguments: [
    ("<source file='\(delta)'/>", FileUse.disk("vda")),
    (
      """
      <source file='/guests/over.qcow2'/><backingStore type='file'><format type='qcow2'/>\
      <source file='/guests/over2.qcow2'/><backingStore type='file'><format type='qcow2'/>\
      <source file='\(delta)'/><backingStore/></backingStore></backingStore>
      """, .backing(ofDisk: "vda")
    ),
    (
      """
      <source file='/guests/a.qcow2'/><mirror type='file' job='copy'><source file='\(delta)'/>\
      </mirror>
      """, .mirror(ofDisk: "vda")
    ),
    ("<source file='/guests/a.qcow2'/>", nil), ("<source file='/spool/12/delta.qcow2'/>", nil),
    ("", nil),
  ])
  func `a disk, a file below it and a mirror are found, by file and by folder`(
    _ disk: String, _ expected: FileUse?
  ) throws {
    #expect(try use(disk) == expected)
    #expect(try use(disk, of: "/spool/1") == expected)
    #expect(try use(disk, of: "/spool/2") == nil)
  }

  @Test func `what lies below the disk of a stopped guest is found in the headers`() async throws {
    let folder = try TemporaryFolder()
    let delta = folder.file("run/delta.qcow2")
    try FileManager.default.createDirectory(
      atPath: folder.file("run"), withIntermediateDirectories: false)
    try await Command.run("qemu-img", "create", "-q", "-f", "qcow2", delta, "1M")
    for (name, below) in [("one", "run/delta.qcow2"), ("two", folder.file("one"))] {
      try await Command.run(
        "qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below, folder.file(name))
    }
    #expect(BackingFiles.names(below: folder.file("two")) == [folder.file("one"), delta])
    #expect(try use("<source file='\(folder.file("two"))'/>", of: delta) == .backing(ofDisk: "vda"))
    #expect(try use("<source file='\(folder.file("two"))'/>", of: folder.file("other")) == nil)
  }

  @Test func `a header of anything else says nothing`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a")
    let header: [UInt8] = [0x51, 0x46, 0x49, 0xFB, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 16]
    for bytes in [
      [], [UInt8](repeating: 0, count: 512), header, header + [0, 0, 0, 0],
      header + [0xFF, 0xFF, 0xFF, 0xFF], header + [0, 0, 3, 0],
    ] {
      try Data(bytes).write(to: URL(filePath: path))
      #expect(BackingFiles.names(below: path) == [])
    }
    #expect(BackingFiles.names(below: folder.file("none")) == [])
  }

  @Test(arguments: [
    (FileUse.disk("vda"), "blockcopy a vda FILE"), (.backing(ofDisk: "vda"), "blockpull a vda"),
    (.mirror(ofDisk: "vda"), "blockjob a vda --abort"),
  ])
  func `a refusal says how to free the file`(_ use: FileUse, _ command: String) {
    let error = use.refusal(
      of: Self.delta, for: ServerIdentity(uuid: "u", name: "a", uri: "qemu:///system"))
    #expect(error.code == .diskInUse)
    #expect(error.remedy.contains("`virsh -c qemu:///system \(command)"))
    #expect(error.remedy.hasSuffix("then run `image-create --recover a`"))
  }
}
