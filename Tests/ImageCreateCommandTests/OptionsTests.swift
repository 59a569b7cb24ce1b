import ArgumentParser
import SnapshotCore
import Testing

@testable import ImageCreateCommand

/// The command line: what is taken, and what is said of the rest.
@Suite struct OptionsTests {
  private func parse(_ line: [String]) throws -> ImageCreateOptions {
    try #require(try ImageCreate.parseAsRoot(line) as? ImageCreate).options
  }

  @Test func `a server and a name are enough`() throws {
    let options = try parse(["fed18", "snap1"])
    #expect(options.server == "fed18")
    #expect(options.name == "snap1")
    #expect(options.metadata.isEmpty)
    #expect(!options.show && !options.poll && !options.dryRun && !options.verbose)
    #expect(options.connect == nil && options.to == nil && options.output == nil)
    #expect(options.imageDir == nil && options.spoolDir == nil && options.logFile == nil)
    #expect(options.minRam == 0)
    #expect(options.request == Request())
  }

  @Test func `every option arrives where it belongs`() throws {
    let options = try parse([
      "--metadata", "a=1", "--metadata", "b=2", "--show", "--poll", "--connect", "qemu:///session",
      "--live", "--mechanism", "rebase", "--quiesce", "require", "--disk", "vdb",
      "--disk-format", "raw", "--min-ram", "512", "--to", "folder", "--image-dir", "/i",
      "--spool-dir", "/s", "--spool", "--dry-run", "--verbose", "--log-file", "/l", "fed18",
      "snap1",
    ])
    #expect(options.metadata.map(\.key) == ["a", "b"])
    #expect(options.metadata.map(\.value) == ["1", "2"])
    #expect(options.show && options.poll && options.dryRun && options.verbose)
    #expect(options.connect == "qemu:///session")
    #expect(options.minRam == 512)
    #expect(options.to == .folder)
    #expect(options.imageDir == "/i")
    #expect(options.spoolDir == "/s")
    #expect(options.logFile == "/l")
    #expect(
      options.request
        == Request(
          mode: .live, mechanism: .rebase, quiesce: .require, disk: "vdb", format: .raw,
          delivery: .spool))
  }

  static let requests: [([String], Request)] = [
    ([], Request()),
    (["--live"], Request(mode: .live)),
    (["--cold"], Request(mode: .cold)),
    (["--mechanism", "backup"], Request(mechanism: .backup)),
    (["--mechanism", "copy"], Request(mechanism: .copy)),
    (["--mechanism=managedSave"], Request(mechanism: .managedSave)),
    (["--mechanism", "offline"], Request(mechanism: .offline)),
    (["--quiesce", "auto"], Request()),
    (["--quiesce", "never"], Request(quiesce: .never)),
    (["--spool"], Request(delivery: .spool)),
    (["--stream"], Request(delivery: .stream)),
    (["--compress"], Request(compresses: true)),
    (["--disk-format", "vhd"], Request(format: ImageFormat(name: "vhd"))),
  ]

  @Test(arguments: requests)
  func `options make the request`(_ options: [String], request: Request) throws {
    #expect(try parse(options + ["fed18", "snap1"]).request == request)
  }

  @Test func `virsh's letters work`() throws {
    let options = try parse(["-c", "qemu:///session", "-q", "fed18", "snap1"])
    #expect(options.connect == "qemu:///session")
    #expect(options.quiet && !options.verbose)
    #expect(try parse(["--quiet", "fed18", "snap1"]).quiet)
  }

  static let valid: [[String]] = [
    ["fed18", "snap1", "--poll"],
    ["--poll", "fed18", "--show", "snap1"],
    ["-v", "fed18", "snap1"],
    ["--", "-fed18", "-snap1"],
    ["fed 18", "it's"],
    ["fed18", ""],
    ["--to", "glance", "fed18", "snap1"],
    ["--output", "f", "fed18", "snap1"],
    ["--image-dir", "d", "fed18", "snap1"],
  ]

  @Test(arguments: valid)
  func `a valid line is taken`(_ line: [String]) throws {
    #expect(throws: Never.self) { try parse(line) }
  }

  /// A wrong line, and what the message must say of it.
  static let invalid: [([String], String)] = [
    ([], "Missing expected argument '<server>'"),
    (["fed18"], "Missing expected argument '<name>'"),
    (["fed18", "snap1", "more"], "Unexpected argument 'more'"),
    (["", "snap1"], "the server's name is empty"),
    (["--nonsense", "fed18", "snap1"], "Unknown option '--nonsense'"),
    (["--live", "--cold", "fed18", "snap1"], "--live and --cold are mutually exclusive"),
    (["-q", "-v", "fed18", "snap1"], "--quiet and --verbose are mutually exclusive"),
    (["--mechanism", "magic", "fed18", "snap1"], "'magic' is invalid for '--mechanism"),
    (["--mechanism", "Copy", "fed18", "snap1"], "'Copy' is invalid for '--mechanism"),
    (["--quiesce", "maybe", "fed18", "snap1"], "'maybe' is invalid for '--quiesce"),
    (["--disk-format", "iso", "fed18", "snap1"], "'iso' is invalid for '--disk-format"),
    (["--min-ram", "much", "fed18", "snap1"], "'much' is invalid for '--min-ram"),
    (["--min-ram=-1", "fed18", "snap1"], "--min-ram is a number of MiB, not -1"),
    (["--to", "moon", "fed18", "snap1"], "'moon' is invalid for '--to"),
    (["--metadata", "novalue", "fed18", "snap1"], "'novalue' is invalid for '--metadata"),
    (["--metadata", "=v", "fed18", "snap1"], "'=v' is invalid for '--metadata"),
    (["--metadata", "", "fed18", "snap1"], "'' is invalid for '--metadata"),
    (["fed18", "snap1", "--metadata"], "Missing value for '--metadata"),
    (
      ["--output", "f", "--to", "folder", "fed18", "snap1"],
      "--output cannot be combined with --to or --image-dir"
    ),
    (
      ["--output", "f", "--image-dir", "d", "fed18", "snap1"],
      "--output cannot be combined with --to or --image-dir"
    ),
    (
      ["--to", "glance", "--image-dir", "d", "fed18", "snap1"],
      "--image-dir cannot be combined with --to glance"
    ),
    (["--output", "", "fed18", "snap1"], "--output needs a path"),
    (["--image-dir", "", "fed18", "snap1"], "--image-dir needs a path"),
    (["--spool-dir", "", "fed18", "snap1"], "--spool-dir needs a path"),
    (["--stream", "--spool", "fed18", "snap1"], "--stream and --spool are mutually exclusive"),
    (["--stream", "--compress", "fed18", "snap1"], "--stream cannot be combined with --compress"),
    (["--retries=-1", "fed18", "snap1"], "--retries is a count, not -1"),
    (["--log-file", "", "fed18", "snap1"], "--log-file needs a path"),
  ]

  @Test(arguments: invalid)
  func `a wrong line is wrong usage, and says what is wrong`(_ line: [String], message: String)
    throws
  {
    let error = try #require(throws: (any Error).self) { try ImageCreate.parseAsRoot(line) }
    let text = ImageCreate.fullMessage(for: error)
    #expect(text.contains(message), "\(text)")
    #expect(text.lowercased().contains("usage: image-create"))
    #expect(ImageCreate.exitCode(for: error) == .validationFailure)
  }

  @Test func `a wrong mechanism lists every right one`() throws {
    let error = try #require(throws: (any Error).self) {
      try ImageCreate.parseAsRoot(["--mechanism", "magic", "a", "b"])
    }
    let text = ImageCreate.fullMessage(for: error)
    for mechanism in Mechanism.allCases { #expect(text.contains(mechanism.rawValue)) }
  }

  static let pairs: [(String, String, String)] = [
    ("a=b", "a", "b"),
    ("a=b=c", "a", "b=c"),
    ("a=", "a", ""),
    ("a==", "a", "="),
    (" a =  b ", " a ", "  b "),
    ("os:x=ü 😀", "os:x", "ü 😀"),
    ("a=line\nline", "a", "line\nline"),
  ]

  @Test(arguments: pairs)
  func `the first equals sign separates a property from its value`(
    _ text: String, key: String, value: String
  ) throws {
    let pair = try #require(MetadataPair(argument: text))
    #expect(pair.key == key)
    #expect(pair.value == value)
  }

  @Test(arguments: ["", "a", "=", "=b", "==", "a b"])
  func `what has no key or no equals sign is no property`(_ text: String) {
    #expect(MetadataPair(argument: text) == nil)
  }

  @Test(
    "A time is seconds, or has a unit",
    arguments: [
      ("90", "90s", 90), ("1s", "1s", 1), ("15m", "15m", 900), ("2h", "2h", 7200),
    ] as [(String, String, Int)])
  func time(_ typed: String, _ text: String, _ seconds: Int) throws {
    let limit = try #require(try parse(["--timeout", typed, "a", "b"]).timeout)
    #expect(limit.text == text)
    #expect(limit.duration == .seconds(seconds))
  }

  @Test(arguments: ["", "0", "0s", "-1", "1d", "s", "1.5h", "99999999999999999999", "1 h"])
  func `what is no time is refused`(_ typed: String) {
    #expect(throws: (any Error).self) { try parse(["--timeout=\(typed)", "a", "b"]) }
  }

  @Test func `recovery takes a server at most, and everything else needs server and name`() throws {
    #expect(try parse(["--recover"]).server == nil)
    let one = try parse(["--recover", "--dry-run", "fed18"])
    #expect(one.recover && one.dryRun && one.server == "fed18")
    for (line, complaint) in [
      (["--recover", "fed18", "snap1"], "--recover takes a server at most, not 'snap1'"),
      ([], "Missing expected argument '<server>'"),
      (["fed18"], "Missing expected argument '<name>'"),
      (["--max-concurrent", "0", "a", "b"], "--max-concurrent is at least 1, not 0"),
    ] {
      let error = try #require(throws: (any Error).self) { try parse(line) }
      #expect(ImageCreate.fullMessage(for: error).contains(complaint))
    }
  }
}
