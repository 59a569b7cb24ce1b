public import Libvirt

/// Everything that the decision needs to know of a server and its host, read once.
public struct Facts: Sendable, Equatable {
  /// The connection's URI.
  public var uri: String
  /// libvirt's driver: `QEMU`, `LXC`.
  public var hypervisor: String
  /// The hypervisor's version.
  public var hypervisorVersion: Version
  /// The libvirt *daemon's* version.
  public var daemonVersion: Version
  /// What the server was doing.
  public var state: DomainState
  /// Whether it has a definition that outlives it.
  public var isPersistent: Bool
  /// Whether a managed save image waits for the next start.
  public var hasManagedSaveImage: Bool
  /// Whether it starts with the host.
  public var autostarts: Bool
  /// How many snapshots libvirt keeps metadata of.
  public var snapshotCount: Int
  /// How many checkpoints libvirt keeps metadata of.
  public var checkpointCount: Int
  /// Whether it is shut off because it was migrated to another host.
  public var isLeftByMigration = false
  /// A domain-wide job under way: save, migration, backup.
  public var job: DomainJob?
  /// What the XML says: the live one of a running server, else the inactive one.
  public var domain: DomainDescription
  /// What is known of each disk beyond the XML, by target.
  public var disks: [String: DiskFacts]

  /// Whether the installed emulator has backup jobs, by libvirt's domain capabilities; nil if
  /// libvirt does not say.
  package var hasBackupJobs: Bool?

  /// Makes facts from parts.
  public init(
    uri: String, hypervisor: String, hypervisorVersion: Version, daemonVersion: Version,
    state: DomainState, isPersistent: Bool, hasManagedSaveImage: Bool = false,
    autostarts: Bool = false, snapshotCount: Int = 0, checkpointCount: Int = 0,
    job: DomainJob? = nil, domain: DomainDescription, disks: [String: DiskFacts]
  ) {
    self.uri = uri
    self.hypervisor = hypervisor
    self.hypervisorVersion = hypervisorVersion
    self.daemonVersion = daemonVersion
    self.state = state
    self.isPersistent = isPersistent
    self.hasManagedSaveImage = hasManagedSaveImage
    self.autostarts = autostarts
    self.snapshotCount = snapshotCount
    self.checkpointCount = checkpointCount
    self.job = job
    self.domain = domain
    self.disks = disks
  }

  /// Whether a QEMU process holds the disks open with its processors running or stopped.
  public var isActive: Bool {
    switch state {
    case .running, .blocked, .paused, .suspended, .shuttingDown, .crashed: true
    case .noState, .shutOff: false
    }
  }

  /// A disk's size in bytes as a mechanism reads it: while QEMU has the disk open, it knows a grown
  /// volume by its old size until it is told; the next QEMU, and we, know it by the new one.
  func size(of disk: DiskDescription, by mechanism: Mechanism) -> UInt64 {
    let known = disks[disk.target]
    if !mechanism.isLive, let top = known?.chain.first { return top.virtualSize }
    return known?.virtualSize ?? 0
  }

  /// The server's name in quotation marks, for messages.
  public var label: String { "server '\(domain.name)'" }
}

/// What is known of one disk beyond the XML.
public struct DiskFacts: Sendable, Equatable {
  /// The virtual size in bytes: what QEMU says while it has the disk open, else what the file says;
  /// 0 if neither can be asked.
  public var virtualSize: UInt64
  /// The files from the disk down to its base, top first; empty if it is not a file or a block device
  /// of this host, or has a `fault`.
  public var chain: [ImageLayer]
  /// Why we cannot or must not open the disk's files. A running QEMU can offer the disk all the same.
  public var fault: Fault?
  /// The block job on it.
  public var blockJob: BlockJobFact
  /// Whether its own file can probably be cloned into the spool folder: both are on one file system
  /// of a kind that has reflinks.
  public var isClonable: Bool
  /// Another active server of this host that may write to it.
  public var otherServer: String?
  /// The kind of network file system that one of its files is on.
  public var networkFileSystem: String?

  /// Makes facts of a disk.
  public init(
    virtualSize: UInt64, chain: [ImageLayer], fault: Fault? = nil,
    blockJob: BlockJobFact = .none, isClonable: Bool = false
  ) {
    self.virtualSize = virtualSize
    self.chain = chain
    self.fault = fault
    self.blockJob = blockJob
    self.isClonable = isClonable
  }

  /// What keeps us from opening a disk's files.
  public struct Fault: Sendable, Equatable {
    /// What is wrong, with the file's name.
    public let reason: String
    /// What to do.
    public let remedy: String

    /// Creates a fault.
    public init(reason: String, remedy: String) {
      self.reason = reason
      self.remedy = remedy
    }
  }

  /// What libvirt answers when asked for a disk's block job.
  public enum BlockJobFact: Sendable, Equatable {
    /// None runs.
    case none
    /// One runs.
    case active(BlockJob)
    /// This libvirt and QEMU have no such jobs (`VIR_ERR_CONFIG_UNSUPPORTED`, `NO_SUPPORT`).
    case unsupported
  }
}

/// One file of a backing chain, as `qemu-img info` describes it with its format given.
public struct ImageLayer: Sendable, Equatable {
  /// The path.
  public var path: String
  /// QEMU's name of the format.
  public var format: StorageFormat
  /// Virtual size in bytes.
  public var virtualSize: UInt64
  /// Bytes it takes on its file system.
  public var allocatedSize: UInt64
  /// Cluster size in bytes, where the format has clusters.
  public var clusterSize: UInt64?
  /// An external data file, where there is one.
  public var dataFile: String?
  /// Whether it is a block device and not a file.
  public var isBlockDevice: Bool

  /// Makes a layer.
  public init(
    path: String, format: StorageFormat, virtualSize: UInt64, allocatedSize: UInt64,
    clusterSize: UInt64? = nil, dataFile: String? = nil, isBlockDevice: Bool = false
  ) {
    self.path = path
    self.format = format
    self.virtualSize = virtualSize
    self.allocatedSize = allocatedSize
    self.clusterSize = clusterSize
    self.dataFile = dataFile
    self.isBlockDevice = isBlockDevice
  }
}
