import ArgumentParser
import SnapshotCore
import Testing

@testable import ImageCreateCommand

@Suite struct HelpTests {
  private static let text = ImageCreate.helpMessage(columns: 100)
  private var help: String { Self.text }
  private var examplesText: Substring {
    get throws {
      let start = try #require(help.firstRange(of: "EXAMPLES:")).upperBound
      let end = try #require(help.firstRange(of: "EXIT STATUS:")).lowerBound
      return help[start..<end]
    }
  }

  @Test(arguments: [
    "--metadata <key=value>", "--show", "--poll", "-c, --connect <uri>", "--live", "--cold",
    "--mechanism <mechanism>", "--quiesce <quiesce>", "--disk <target>", "--disk-format <format>",
    "--min-ram <MiB>", "--to <to>", "--image-dir <folder>", "--output <file>",
    "--stream", "--spool", "--compress", "--retries <count>",
    "--upload-patience <time>", "--stall-timeout <time>", "--spool-dir <folder>", "--dry-run",
    "--wait", "--max-concurrent <count>", "--timeout <time>", "--recover", "-v, --verbose",
    "-q, --quiet",
    "--log-file <file>",
    "--version",
    "-h, --help", "<server>", "<name>",
  ])
  func `help names every option`(_ option: String) {
    #expect(help.split(separator: "\n").contains { "\($0) ".hasPrefix("  \(option) ") })
  }

  @Test func `no option of the help is missing from the table above`() {
    let options = help.split(separator: "\n").filter { $0.hasPrefix("  -") }
    #expect(options.count == 31)
  }

  @Test func `help names every value`() {
    let values =
      Mechanism.allCases.map(\.rawValue) + Request.QuiesceWish.allCases.map(\.rawValue)
      + Destination.allCases.map(\.rawValue) + ImageFormat.allValueStrings
    for value in values { #expect(help.contains(value), "\(value)") }
  }

  @Test func `every example of the help can be parsed`() throws {
    let examples = try examplesText.split(separator: "\n").map { $0.drop { $0 == " " } }
      .filter { $0.hasPrefix("image-create ") }
    #expect(examples.count == 5)
    for example in examples {
      let words = example.split(separator: " ").dropFirst().map(String.init)
      #expect(throws: Never.self, "\(example)") { try ImageCreate.parseAsRoot(words) }
    }
  }

  @Test func `the version is asked for with --version`() throws {
    let error = try #require(throws: (any Error).self) {
      try ImageCreate.parseAsRoot(["--version"])
    }
    #expect(ImageCreate.fullMessage(for: error) == "image-create 0.1.0")
    #expect(ImageCreate.exitCode(for: error) == .success)
  }
}
