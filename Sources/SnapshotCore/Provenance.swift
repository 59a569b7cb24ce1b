/// How an image came about, in properties of its record that are known only at the point in time.
///
/// Neither Nova nor Glance's metadefs have names for it: `os_require_quiesce` is a wish for later
/// snapshots, not the truth about this one. So they are under a prefix of our own, which Nova carries
/// along and does not interpret.
struct Provenance: Equatable {
  /// What every key begins with.
  static let prefix = "image_create:"

  let mechanism: Mechanism
  /// Whether the guest's file systems were frozen at that moment, and why if not.
  let quiescing: QuiesceOutcome
  /// ISO 8601, UTC.
  let instant: String?

  /// The properties, within what Nova and Glance allow.
  var properties: [String: String] {
    var properties = [Self.prefix + "mechanism": mechanism.rawValue]
    properties[Self.prefix + "quiesced"] =
      switch quiescing {
      case .quiesced: "yes"
      case .notQuiesced(let because): Self.value("no: " + because)
      }
    properties[Self.prefix + "point_in_time"] = instant
    return properties
  }

  /// At most 255 characters, as in Nova, and none that Glance refuses: the guest's agent may have
  /// said anything.
  private static func value(_ text: String) -> String {
    let allowed = text.unicodeScalars.filter { scalar in
      scalar.value <= 0xFFFF && scalar.properties.generalCategory != .control
    }
    return String(String.UnicodeScalarView(allowed.prefix(255)))
  }
}

extension Provenance {
  /// That of an open point in time.
  init(_ fixed: Snapshot.Fixed) {
    let plan = fixed.snapshot.plan
    mechanism = plan.mechanism
    instant = fixed.context.instant.text
    quiescing =
      fixed.context.quiescing.outcome
      ?? .notQuiesced(
        because: plan.reasons.first { $0.topic == "quiesce" }?.because ?? "nothing was frozen")
  }
}
