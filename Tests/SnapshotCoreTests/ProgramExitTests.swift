import Testing

@testable import SnapshotCore

@Suite struct ProgramExitTests {
  static let complaints: [(String, String)] = [
    ("qemu-img: Could not open 'x': No such file\n", "Could not open 'x': No such file"),
    ("warning: a\nqemu-img: b\n", "b"),
    ("qemu-img: a\n\n  \n", "a"),
    ("qemu-img: a\r\nqemu-img: b\r\n", "b"),
    ("killed", "killed"),
    (
      #"qemu-img: Could not open 'json:{"driver":"raw","file":{"filename":"/it's"}}': gone"#,
      "Could not open the disk: gone"
    ),
    ("qemu-img: qemu-img: twice", "qemu-img: twice"),
    ("", ""),
    (" \n\t\n", ""),
  ]

  @Test(arguments: complaints)
  func `the last line that says something is kept`(_ text: String, tidy: String) {
    #expect(ProgramExit.tidy(text, of: "qemu-img") == tidy)
  }

  @Test func `a long complaint is cut at 300 characters`() {
    #expect(
      ProgramExit.tidy(
        "qemu-img: " + String(repeating: "x", count: 5000), of: "qemu-img")
        == String(repeating: "x", count: 300))
  }

  @Test func `an exit without complaint describes itself by its status`() {
    #expect(ProgramExit(status: "exited(1)", complaint: "").description == "exited(1)")
    #expect(ProgramExit(status: "exited(1)", complaint: "no").description == "no")
  }

  @Test(arguments: [
    ("error while writing: No space left on device", true), ("Input/output error", false),
    ("", false),
  ])
  func `a full file system is told from other failures`(_ complaint: String, isOutOfSpace: Bool) {
    #expect(ProgramExit(status: "exited(1)", complaint: complaint).isOutOfSpace == isOutOfSpace)
  }
}
