/// novaclient's table of two columns.
enum PropertyTable {
  /// The widest column. A longer text is printed whole and stands out of the frame: of millions of
  /// characters in one row, no others are made in every other.
  private static let widest = 1024

  /// - Parameter rows: property and value, in the order to print.
  static func text(_ rows: [(String, String)], headings: (String, String) = ("Property", "Value"))
    -> String
  {
    let all = [headings] + rows.map { (printable($0.0), printable($0.1)) }
    let left = min(all.map(\.0.displayWidth).max() ?? 0, widest)
    let right = min(all.map(\.1.displayWidth).max() ?? 0, widest)
    let rule = "+" + line("-", left + 2) + "+" + line("-", right + 2) + "+\n"
    let lines = all.map { first, second in
      "| " + first + line(" ", left - first.displayWidth) + " | " + second
        + line(" ", right - second.displayWidth) + " |\n"
    }
    return rule + lines[0] + rule + lines.dropFirst().joined() + rule
  }

  /// A text that may come from elsewhere, with what would steer the terminal escaped as in Swift:
  /// control characters, line ends of every kind, and what changes the direction of writing, which
  /// can make one text look like another.
  static func printable(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { line, scalar in
      if steers(scalar) {
        line += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        line.unicodeScalars.append(scalar)
      }
    }
  }

  private static func steers(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    default: scalar.properties.isBidiControl
    }
  }

  private static func line(_ mark: String, _ count: Int) -> String {
    String(repeating: mark, count: max(0, count))
  }
}
