/// The decision: what will be done, and why.
public struct Plan: Sendable, Equatable {
  /// How the point in time is fixed.
  public var mechanism: Mechanism
  /// Whether the guest's file systems are frozen around it.
  public var quiesce: Quiesce
  /// The disk to take.
  public var disk: DiskDescription
  /// Its virtual size in bytes.
  public var virtualSize: UInt64
  /// The image's format.
  public var format: ImageFormat
  /// How the bytes get to the image service.
  public var delivery: Delivery
  /// Whether the user asked for this delivery.
  public var isDeliveryForced: Bool
  /// Whether qcow2 clusters are compressed.
  public var compresses: Bool
  /// How long the guest is down.
  public var downtime: Downtime
  /// Host devices to detach before and to attach after.
  public var hostDevices: [DomainDescription.HostDevice]
  /// Writable disks that are not taken although the user named none.
  package var leftOut: [String] = []
  /// What else can be done live, best first, if the mechanism is refused when it begins. Never cold:
  /// a guest that was to stay up is not stopped.
  package var alternatives: [Plan] = []
  /// Why, one for each part of the decision, in the order of `--dry-run`.
  public var reasons: [Reason]

  /// What happens to the guest's file systems.
  public enum Quiesce: Sendable, Equatable {
    /// Nothing.
    case none
    /// Frozen if the agent does it, else not, and said so.
    case attempt
    /// Frozen, or the snapshot fails.
    case require
  }

  /// How the bytes get to the image service.
  public enum Delivery: String, Sendable, Equatable {
    /// Encoded while the disk is read: no file on this host.
    case stream
    /// `qemu-img convert` writes a file first.
    case spool
  }

  /// How long the guest is down.
  public enum Downtime: String, Sendable, Equatable {
    /// Not at all.
    case none
    /// Until the disk's file has a clone by reflink, which is read instead.
    case untilCloned = "until the disk is cloned"
    /// Until the disk is converted to a file.
    case untilRead = "until the disk is read"
    /// Until the image service has everything.
    case untilSent = "until the image is sent"
  }

  /// One part of the decision.
  public struct Reason: Sendable, Equatable {
    /// What was decided, for example `mechanism`.
    public let topic: String
    /// The outcome, for example `copy`.
    public let choice: String
    /// Why.
    public let because: String
  }

  /// `live` or `cold`.
  public var mode: String { mechanism.isLive ? "live" : "cold" }
}
