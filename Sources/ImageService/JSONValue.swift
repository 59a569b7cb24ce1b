/// A value of an attribute that Glance has and this program does not know.
package enum JSONValue: Sendable, Equatable {
  /// `null`
  case null
  /// `true` or `false`
  case flag(Bool)
  /// A whole number.
  case integer(Int64)
  /// Any other number.
  case number(Double)
  /// A text.
  case text(String)
  /// A list.
  case list([JSONValue])
  /// An object.
  case object([String: JSONValue])
}

extension JSONValue: Codable {
  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    self =
      if value.decodeNil() {
        .null
      } else if let flag = try? value.decode(Bool.self) {
        .flag(flag)
      } else if let integer = try? value.decode(Int64.self) {
        .integer(integer)
      } else if let number = try? value.decode(Double.self) {
        .number(number)
      } else if let text = try? value.decode(String.self) {
        .text(text)
      } else if let list = try? value.decode([JSONValue].self) {
        .list(list)
      } else {
        .object(try value.decode([String: JSONValue].self))
      }
  }

  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .null: try value.encodeNil()
    case .flag(let flag): try value.encode(flag)
    case .integer(let integer): try value.encode(integer)
    case .number(let number): try value.encode(number)
    case .text(let text): try value.encode(text)
    case .list(let list): try value.encode(list)
    case .object(let object): try value.encode(object)
    }
  }
}

extension JSONValue {
  /// As novaclient prints the value of a row: Python's words, and JSON for lists and objects.
  var row: String {
    switch self {
    case .null: "-"
    case .flag(let flag): flag ? "True" : "False"
    case .text(let text): text
    default: json
    }
  }

  /// In the form of Python's `json.dumps`, with spaces behind commas and colons.
  var json: String {
    switch self {
    case .null: "null"
    case .flag(let flag): flag ? "true" : "false"
    case .integer(let integer): "\(integer)"
    case .number(let number): "\(number)"
    case .text(let text): Self.string(text)
    case .list(let list): "[" + list.map(\.json).joined(separator: ", ") + "]"
    case .object(let object):
      "{"
        + object.sorted { $0.key < $1.key }.map { "\(Self.string($0.key)): \($0.value.json)" }
        .joined(separator: ", ") + "}"
    }
  }

  private static func string(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "\"") { line, scalar in
      switch scalar {
      case "\"", "\\": line += "\\\(scalar)"
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      case "\t": line += "\\t"
      default:
        if scalar.value < 0x20 {
          let digits = String(scalar.value, radix: 16)
          line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
          line.unicodeScalars.append(scalar)
        }
      }
    } + "\""
  }
}
