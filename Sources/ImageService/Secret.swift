/// A password or token. It cannot be printed by accident: every description of it is redacted.
public struct Secret: Sendable, Hashable {
  /// The text itself, for the one place that sends it.
  let value: String

  /// Wraps a secret text.
  public init(_ value: String) { self.value = value }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Always `<redacted>`.
  public var description: String { "<redacted>" }
  /// Always `<redacted>`.
  public var debugDescription: String { "<redacted>" }
  /// Has no children, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
