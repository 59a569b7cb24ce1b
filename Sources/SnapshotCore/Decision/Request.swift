/// What the user asked for beyond the server and the image's name.
public struct Request: Sendable, Equatable {
  /// Live, cold, or whatever fits.
  public var mode: Mode
  /// One mechanism and no other.
  public var mechanism: Mechanism?
  /// Whether to quiesce the guest.
  public var quiesce: QuiesceWish
  /// The disk's target; nil or ``rootDisk`` for the root disk.
  public var disk: String?
  /// The image's format; nil for the disk's own.
  public var format: ImageFormat?
  /// Whether to stream or to spool, or whatever fits.
  public var delivery: Plan.Delivery?
  /// Whether to compress the image.
  public var compresses: Bool

  /// Makes a request.
  public init(
    mode: Mode = .automatic, mechanism: Mechanism? = nil, quiesce: QuiesceWish = .auto,
    disk: String? = nil, format: ImageFormat? = nil, delivery: Plan.Delivery? = nil,
    compresses: Bool = false
  ) {
    self.mode = mode
    self.mechanism = mechanism
    self.quiesce = quiesce
    self.disk = disk
    self.format = format
    self.delivery = delivery
    self.compresses = compresses
  }

  /// Names the root disk, whichever it is.
  package static let rootDisk = "root"

  /// Whether the guest may be stopped.
  public enum Mode: Sendable, Equatable {
    /// Live where that is possible, else cold.
    case automatic
    /// Live or not at all.
    case live
    /// Cold or not at all.
    case cold
  }

  /// Whether the guest's file systems are frozen around the point in time.
  public enum QuiesceWish: String, Sendable, Equatable, CaseIterable {
    /// Where the agent answers.
    case auto
    /// Or fail before anything is touched.
    case require
    /// Never.
    case never
  }
}
