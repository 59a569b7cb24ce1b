extension String {
  /// The text between quotation marks, for messages: one line that does not steer the terminal,
  /// with control and format characters, such as those that change the direction of writing, by
  /// their number. Of a long text only the beginning.
  var quoted: String {
    let limit = 300
    var text = "\""
    for scalar in unicodeScalars.prefix(limit) {
      switch scalar {
      case "\"", "\\": text += "\\\(scalar)"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\0": text += "\\0"
      default:
        if scalar.isControl || scalar.properties.generalCategory == .format {
          text += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    return text + (unicodeScalars.dropFirst(limit).isEmpty ? "\"" : "…\"")
  }
}
