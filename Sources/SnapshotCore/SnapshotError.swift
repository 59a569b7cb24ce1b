public import Libvirt

/// Why a snapshot was refused or failed: a code for programs, a sentence and a next step for people.
public struct SnapshotError: Error, Sendable, CustomStringConvertible {
  /// A stable word for the kind of failure, printed in `ERROR (Code)`.
  public struct Code: RawRepresentable, Hashable, Sendable {
    /// The word, for example `ServerNotFound`.
    public let rawValue: String
    /// Wraps a word.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The libvirt daemon could not be reached.
    public static let connectionFailed = Code(rawValue: "ConnectionFailed")
    /// The libvirt daemon could not be shown to see the files of this host.
    public static let notThisHost = Code(rawValue: "NotThisHost")
    /// No server has this name, UUID or id.
    public static let serverNotFound = Code(rawValue: "ServerNotFound")
    /// Several servers answer to it.
    public static let severalServers = Code(rawValue: "MultipleServersFound")
    /// Something else is being done with the server.
    public static let serverBusy = Code(rawValue: "ServerBusy")
    /// Somebody else ended the backup job while it was read.
    public static let backupEnded = Code(rawValue: "BackupEnded")
    /// The server stopped in the middle.
    public static let serverStopped = Code(rawValue: "ServerStopped")
    /// No mechanism, or not the one asked for, can take this server's snapshot.
    public static let notPossible = Code(rawValue: "SnapshotNotPossible")
    /// The server has no such disk, or none at all.
    public static let noDisk = Code(rawValue: "DiskNotFound")
    /// A disk or a file below it could not be read.
    public static let unreadableDisk = Code(rawValue: "DiskNotReadable")
    /// A disk is not what it was when the plan was made.
    public static let diskChanged = Code(rawValue: "DiskChanged")
    /// The domain XML is not what libvirt writes.
    public static let badXML = Code(rawValue: "DomainXMLNotUnderstood")
    /// The image format is not known, or not possible here.
    public static let badFormat = Code(rawValue: "DiskFormatNotSupported")
    /// A file system has too little room.
    public static let noSpace = Code(rawValue: "NoSpace")
    /// The spool folder could not be used.
    public static let spoolFailed = Code(rawValue: "SpoolFolderNotUsable")
    /// Others can change the way to a folder.
    public static let unsafeFolder = Code(rawValue: "FolderNotSafe")
    /// A libvirt call failed.
    public static let libvirtFailed = Code(rawValue: "LibvirtCallFailed")
    /// The mirror of a disk ended, stalled or was taken away.
    public static let mirrorFailed = Code(rawValue: "MirrorFailed")
    /// A file of the run has become a disk of the guest.
    public static let diskInUse = Code(rawValue: "DiskInUse")
    /// The guest could not be quiesced and that was required.
    public static let notQuiesced = Code(rawValue: "NotQuiesced")
    /// A program of this host, such as `qemu-img`, failed or is missing.
    public static let programFailed = Code(rawValue: "ProgramFailed")
    /// The finished image is not what it must be.
    public static let badImage = Code(rawValue: "ImageNotGood")
    /// The server could not be put back as it was.
    public static let notRestored = Code(rawValue: "ServerNotRestored")
    /// The journal could not be written or read.
    public static let journalFailed = Code(rawValue: "JournalFailed")
    /// Another run has the server, or all places are taken.
    public static let serverLocked = Code(rawValue: "ServerLocked")
    /// What a dead run left could not be undone.
    public static let notRecovered = Code(rawValue: "NotRecovered")
    /// The run took longer than it was allowed to.
    public static let timedOut = Code(rawValue: "TimedOut")
    /// The run was stopped by a signal.
    public static let cancelled = Code(rawValue: "Cancelled")
  }

  /// The kind of failure.
  public let code: Code
  /// What happened, in this case's names and numbers, in the past tense.
  public let reason: String
  /// What to do next: one imperative sentence, or a command to paste.
  public let remedy: String
  /// What it came from, kept as a value.
  public let cause: (any Error)?

  /// Makes an error from its parts.
  public init(_ code: Code, _ reason: String, remedy: String, cause: (any Error)? = nil) {
    self.code = code
    self.reason = reason
    self.remedy = remedy
    self.cause = cause
  }

  /// Makes one of a failed libvirt call.
  ///
  /// - Parameter remedy: what to do next; by default where to look.
  public init(_ error: LibvirtError, remedy: String? = nil) {
    self.init(
      .libvirtFailed, error.description,
      remedy: remedy ?? SnapshotError.usualRemedy(for: error), cause: error)
  }

  /// The code, the reason and the remedy on one line.
  public var description: String { "\(code.rawValue): \(reason). \(remedy)" }

  private static func usualRemedy(for error: LibvirtError) -> String {
    switch error.code {
    case .operationTimeout:
      "Another job holds the server: look with `virsh domjobinfo`, wait for it and try again"
    case .systemError, .authFailed:
      "Check that the libvirt daemon runs and that you may use it"
    case .noDomain:
      "The server is gone: look with `virsh list --all`"
    default:
      "Look in the libvirt daemon's log and in /var/log/libvirt/qemu for more"
    }
  }
}

extension SnapshotError {
  /// The run was told to stop.
  static let cancelled = SnapshotError(
    .cancelled, "the snapshot was stopped", remedy: "Run it again when ready")
}
