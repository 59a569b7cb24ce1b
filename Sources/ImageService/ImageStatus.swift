/// The state of an image. A status that a later Glance invents is kept as it is.
public struct ImageStatus: RawRepresentable, Sendable, Hashable, Codable, CustomStringConvertible {
  /// Glance's own word.
  public let rawValue: String

  /// Takes any status, known or not.
  public init(rawValue: String) { self.rawValue = rawValue }

  /// Created; no data yet, or the data was refused.
  public static let queued = Self(rawValue: "queued")
  /// Data is being written.
  public static let saving = Self(rawValue: "saving")
  /// Data is being staged for an import.
  public static let uploading = Self(rawValue: "uploading")
  /// An import is under way.
  public static let importing = Self(rawValue: "importing")
  /// Complete and usable.
  public static let active = Self(rawValue: "active")
  /// Failed (written by Glance's version 1 only).
  public static let killed = Self(rawValue: "killed")
  /// Deleted.
  public static let deleted = Self(rawValue: "deleted")
  /// Deleted; the data goes later.
  public static let pendingDelete = Self(rawValue: "pending_delete")
  /// Complete, but not to be used.
  public static let deactivated = Self(rawValue: "deactivated")

  /// Glance's own word.
  public var description: String { rawValue }
}
