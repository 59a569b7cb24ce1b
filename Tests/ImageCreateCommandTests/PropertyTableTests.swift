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

  @Test(arguments: [
    "\u{1B}[2J", "a\nb", "a\r\nb", "a\tb", "\u{7}", "\u{0}", "\u{9B}31m", "\u{7F}", "\u{85}",
  ])
  func `a value can't steer the terminal`(_ value: String) {
    let text = PropertyTable.text([("key" + value, value)])
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 6)
    #expect(Set(lines.dropLast().map(\.count)).count == 1)
    let controls = text.unicodeScalars.filter { $0.properties.generalCategory == .control }
    #expect(controls.allSatisfy { $0 == "\n" })
    #expect(text.contains("?"))
  }
}
