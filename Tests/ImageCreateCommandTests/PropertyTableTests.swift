import Testing

@testable import ImageCreateCommand

@Suite struct PropertyTableTests {
  @Test func `the table is novaclient's`() {
    #expect(
      PropertyTable.text([("id", "42"), ("metadata a", "b"), ("name", "")]) == """
        +------------+-------+
        | Property   | Value |
        +------------+-------+
        | id         | 42    |
        | metadata a | b     |
        | name       |       |
        +------------+-------+

        """)
  }

  @Test func `without rows only the headings are there`() {
    #expect(
      PropertyTable.text([], headings: ("Fact", "Is")) == """
        +------+----+
        | Fact | Is |
        +------+----+
        +------+----+

        """)
  }

  @Test func `letters count once, whatever they are made of`() {
    #expect(
      PropertyTable.text([("e\u{301}tat", "ü")]) == """
        +----------+-------+
        | Property | Value |
        +----------+-------+
        | e\u{301}tat     | ü     |
        +----------+-------+

        """)
  }

  @Test func `wide characters take two columns`() {
    #expect(
      PropertyTable.text([("name", "夜间备份"), ("emoji", "💾 x"), ("heart", "❤️")]) == """
        +----------+----------+
        | Property | Value    |
        +----------+----------+
        | name     | 夜间备份 |
        | emoji    | 💾 x     |
        | heart    | ❤️       |
        +----------+----------+

        """)
  }

  @Test(arguments: [
    "\u{1B}[2J", "a\nb", "a\r\nb", "a\tb", "\u{7}", "\u{0}", "\u{9B}31m", "\u{7F}", "\u{85}",
    "\u{2028}", "\u{2029}", "\u{61C}", "\u{200E}", "\u{200F}", "\u{202A}", "\u{202B}", "\u{202C}",
    "\u{202D}", "\u{202E}", "\u{2066}", "\u{2067}", "\u{2068}", "\u{2069}", "e\u{301}\u{202E}x",
  ])
  func `a value can't steer the terminal`(_ value: String) {
    let text = PropertyTable.text([("key" + value, value)])
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 6)
    #expect(Set(lines.dropLast().map(\.count)).count == 1)
    let controls = text.unicodeScalars.filter {
      $0.properties.generalCategory == .control || $0.properties.isBidiControl
        || "\u{2028}\u{2029}".unicodeScalars.contains($0)
    }
    #expect(controls.allSatisfy { $0 == "\n" })
    #expect(text.contains("\\u{"))
  }

  static let escapes: [(String, String)] = [
    ("plain", "plain"), ("", ""), ("Büro €💾", "Büro €💾"), ("👩‍🚀", "👩‍🚀"), ("C:\\x", "C:\\x"),
    ("a\nb", "a\\u{a}b"), ("a\r\nb", "a\\u{d}\\u{a}b"), ("\u{1B}[2J", "\\u{1b}[2J"),
    ("gpj.\u{202E}exe", "gpj.\\u{202e}exe"), ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
    ("\u{9B}1A", "\\u{9b}1A"), ("\u{2028}", "\\u{2028}"),
  ]

  @Test(arguments: escapes)
  func `what would steer the terminal is shown by its number`(_ value: String, printed: String) {
    #expect(PropertyTable.printable(value) == printed)
  }

  @Test func `one endless value does not make every row endless`() {
    let long = String(repeating: "x", count: 1_000_000)
    let text = PropertyTable.text([("a", long)] + (0..<10_000).map { ("k\($0)", "v") })
    #expect(text.contains(long))
    #expect(text.utf8.count < 1_000_000 + 10_010 * 1100)
  }
}
