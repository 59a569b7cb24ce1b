/// novaclient's table of two columns.
enum PropertyTable {
  /// - Parameter rows: property and value, in the order to print.
  static func text(_ rows: [(String, String)], headings: (String, String) = ("Property", "Value"))
    -> String
  {
    let all = [headings] + rows.map { (printable($0.0), printable($0.1)) }
    let left = all.map(\.0.count).max() ?? 0
    let right = all.map(\.1.count).max() ?? 0
    let rule = "+" + line("-", left + 2) + "+" + line("-", right + 2) + "+\n"
    let lines = all.map { first, second in
      "| " + first + line(" ", left - first.count) + " | " + second
        + line(" ", right - second.count) + " |\n"
    }
    return rule + lines[0] + rule + lines.dropFirst().joined() + rule
  }

  /// A value may come from elsewhere: it must not steer the terminal.
  private static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
  }

  private static func line(_ mark: String, _ count: Int) -> String {
    String(repeating: mark, count: count)
  }
}
