extension Snapshot {
  /// How far a run is.
  public struct Progress: Sendable, Equatable {
    /// The phase.
    public let phase: Phase
    /// The whole run's fraction, 0 to 1.
    public let fraction: Double
    /// The bytes of this phase, where it moves bytes.
    public let bytes: Bytes?

    /// Makes a report.
    public init(phase: Phase, fraction: Double, bytes: Bytes? = nil) {
      self.phase = phase
      self.fraction = fraction
      self.bytes = bytes
    }

    /// How many bytes of how many.
    public struct Bytes: Sendable, Equatable {
      /// Those read and written or sent so far; from 0 again where an upload begins again.
      public let done: Int64
      /// All of them.
      public let total: Int64

      /// Makes a pair.
      public init(done: Int64, total: Int64) {
        self.done = done
        self.total = total
      }
    }

    /// The phases, with Nova's task states as names.
    public enum Phase: String, Sendable {
      /// Checked and about to begin.
      case snapshotPending = "image_snapshot_pending"
      /// Fixing the point in time and getting the bytes out.
      case snapshot = "image_snapshot"
      /// The image can be sent.
      case pendingUpload = "image_pending_upload"
      /// Sending.
      case uploading = "image_uploading"
    }
  }
}
