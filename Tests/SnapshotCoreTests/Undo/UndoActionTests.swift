import Foundation
import Testing

@testable import SnapshotCore

@Suite struct UndoActionTests {
  private static let id = "3A7C9E10-0000-4000-8000-000000000001"

  /// Every case, with its purpose and its command for `fed18` at `qemu:///system`.
  static let table: [(UndoAction, String, String)] = [
    (
      .deleteImage(id: UUID(uuidString: id) ?? UUID()),
      "delete the unfinished image 3a7c9e10-0000-4000-8000-000000000001",
      "openstack image delete 3a7c9e10-0000-4000-8000-000000000001"
    ),
    (.removeFolder(path: "/spool/x"), "remove the folder /spool/x", "rm -r '/spool/x'"),
    (.removeFile(path: "/spool/x/d"), "remove the file /spool/x/d", "rm '/spool/x/d'"),
    (
      .endPrograms(folder: "/spool/x"), "end the programs that work in /spool/x",
      "pkill -f '^([^ ]*/)?(cp|qemu-img|qemu-nbd) .*/spool/x/'"
    ),
    (.thaw, "thaw the guest's file systems", "virsh -c qemu:///system domfsthaw 'fed18'"),
    (
      .abortMirror(disk: "vda", target: "/spool/d"), "end the mirror of disk 'vda' into /spool/d",
      "virsh -c qemu:///system blockjob 'fed18' 'vda' --abort"
    ),
    (
      .abortBackup(socket: "/spool/s", wasRunning: true), "end the backup job",
      "virsh -c qemu:///system domjobabort 'fed18'"
    ),
    (
      .define(xmlPath: "/state/u.xml", autostarts: false),
      "define the server again from /state/u.xml",
      "virsh -c qemu:///system define '/state/u.xml'"
    ),
    (
      .define(xmlPath: "/state/u.xml", autostarts: true),
      "define the server again from /state/u.xml",
      "virsh -c qemu:///system define '/state/u.xml' && "
        + "virsh -c qemu:///system autostart 'fed18'"
    ),
    (.start(), "start the server again", "virsh -c qemu:///system start 'fed18'"),
    (
      .attach(deviceXML: "<hostdev type=\"pci\"/>", label: "pci 0000:03:00:0"),
      "attach the host device pci 0000:03:00:0 again",
      "printf %s '<hostdev type=\"pci\"/>' | "
        + "virsh -c qemu:///system attach-device 'fed18' --live /dev/stdin"
    ),
    (
      .attachOnceGone(deviceXML: "<hostdev/>", label: "pci 0000:03:00:0"),
      "attach the host device pci 0000:03:00:0 again",
      "printf %s '<hostdev/>' | virsh -c qemu:///system attach-device 'fed18' --live /dev/stdin"
    ),
  ]

  static var all: [UndoAction] { table.map(\.0) }

  @Test(arguments: table)
  func `an action says what it does and how to do it by hand`(
    _ action: UndoAction, purpose: String, command: String
  ) {
    #expect(action.purpose == purpose)
    #expect(action.command(server: "fed18", uri: "qemu:///system") == command)
  }

  @Test(arguments: all)
  func `an action survives the journal's JSON`(_ action: UndoAction) throws {
    let data = try JSONEncoder().encode(action)
    #expect(try JSONDecoder().decode(UndoAction.self, from: data) == action)
  }

  @Test(arguments: [
    "", "{}", "null", "{\"thaw\": 1}", "{\"dance\": {}}", "{\"removeFile\": {}}",
    "{\"deleteImage\": {\"id\": \"no\"}}",
  ])
  func `what is no action is not decoded`(_ json: String) {
    #expect(throws: (any Error).self) {
      try JSONDecoder().decode(UndoAction.self, from: Data(json.utf8))
    }
  }

  /// The words that a shell makes of a command.
  private func words(_ command: String) throws -> [String] {
    let shell = Process()
    // POSIX and no more.
    shell.executableURL = URL(filePath: "/bin/sh")
    shell.arguments = [
      "-c",
      """
      rm() { printf '%s\\0' "$@"; }
      virsh() { rm "$@"; [ "$3" != attach-device ] || cat; }
      \(command)
      """,
    ]
    let output = Pipe()
    shell.standardOutput = output
    shell.standardInput = FileHandle.nullDevice
    try shell.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self)
      .split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
  }

  static let names = [
    "fed 18", "it's", "'", "''", "a'b'c", "$(exit 1)", "`exit 1`", "a\"b", "a\\'b", "*", "Ünï",
    "a;b",
    "a\nb",
  ]

  @Test(arguments: names)
  func `a shell gets any name whole`(_ name: String) throws {
    let uri = "qemu+ssh://host/system?keyfile=/k&no_verify=1"
    #expect(
      try words(UndoAction.thaw.command(server: name, uri: uri))
        == ["-c", uri, "domfsthaw", name, ""])
    #expect(
      try words(
        UndoAction.abortMirror(disk: name, target: "/d").command(server: name, uri: uri))
        == ["-c", uri, "blockjob", name, name, "--abort", ""])
    #expect(
      try words(UndoAction.removeFolder(path: "/s/\(name)").command(server: "", uri: uri))
        == ["-r", "/s/\(name)", ""])
    #expect(
      try words(UndoAction.removeFile(path: "/s/\(name)").command(server: "", uri: uri))
        == ["/s/\(name)", ""])
    #expect(
      try words(
        UndoAction.define(xmlPath: "/s/\(name)", autostarts: true).command(server: name, uri: uri))
        == ["-c", uri, "define", "/s/\(name)", "-c", uri, "autostart", name, ""])
    let xml = "<hostdev a='\(name)'>\n</hostdev>"
    #expect(
      try words(
        UndoAction.attach(deviceXML: xml, label: "l").command(server: name, uri: uri))
        == ["-c", uri, "attach-device", name, "--live", "/dev/stdin", xml])
  }

  @Test func `programs are ended by hand as recovery does it, and nobody else is`() throws {
    let command = UndoAction.endPrograms(folder: "/var/tmp/a+b (x)").command(server: "", uri: "")
    let pattern = try #require(try command.wholeMatch(of: Regex("pkill -f '(.*)'"))?[1].substring)
    let regex = try Regex(String(pattern))
    for (line, isOurs) in [
      ("/usr/bin/qemu-img convert a /var/tmp/a+b (x)/image.raw", true),
      ("qemu-nbd --fork --socket=/var/tmp/a+b (x)/disk.sock", true),
      ("cp --reflink=always -- /disk /var/tmp/a+b (x)/clone", true),
      ("vi /var/tmp/a+b (x)/image.raw", false),
      ("/bin/sh -c qemu-img convert /var/tmp/a+b (x)/image.raw", false),
      ("qemu-img convert a /var/tmp/a+b (x)y/image.raw", false),
      ("qemu-img convert a /var/tmp/aab (x)/image.raw", false),
    ] { #expect((line.firstMatch(of: regex) != nil) == isOurs, "\(line)") }
  }

  @Test func `a journal that does not know whose saved memory it was is still read`() throws {
    let action = try JSONDecoder().decode(UndoAction.self, from: Data("{\"start\": {}}".utf8))
    #expect(action == .start())
  }

  @Test func `an ordinary URI is not quoted`() {
    for uri in ["qemu:///system", "qemu+ssh://root@host.example:22/system", "test:///default"] {
      #expect(UndoAction.start().command(server: "a", uri: uri) == "virsh -c \(uri) start 'a'")
    }
  }
}
