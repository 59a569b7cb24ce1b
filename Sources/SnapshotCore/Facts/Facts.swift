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

  /// The server's name in quotation marks, for messages.
  public var label: String { "server '\(domain.name)'" }
}

/// What is known of one disk beyond the XML.
public struct DiskFacts: Sendable, Equatable {
  /// The virtual size in bytes.
  public var virtualSize: UInt64
  /// The files from the disk down to its base, top first; empty where it is no file.
  public var chain: [ImageLayer]
  /// The block job on it.
  public var blockJob: BlockJobFact
  /// Whether its own file can probably be cloned into the spool folder: both are on one file system
  /// of a kind that has reflinks.
  public var isClonable: Bool

  /// Makes facts of a disk.
  public init(
    virtualSize: UInt64, chain: [ImageLayer], blockJob: BlockJobFact = .none,
    isClonable: Bool = false
  ) {
    self.virtualSize = virtualSize
    self.chain = chain
    self.blockJob = blockJob
    self.isClonable = isClonable
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
  public var format: String
  /// Virtual size in bytes.
  public var virtualSize: UInt64
  /// Bytes it takes on its file system.
  public var allocatedSize: UInt64
  /// Cluster size in bytes, where the format has clusters.
  public var clusterSize: UInt64?
  /// An external data file, where there is one.
  public var dataFile: String?

  /// Makes a layer.
  public init(
    path: String, format: String, virtualSize: UInt64, allocatedSize: UInt64,
    clusterSize: UInt64? = nil, dataFile: String? = nil
  ) {
    self.path = path
    self.format = format
    self.virtualSize = virtualSize
    self.allocatedSize = allocatedSize
    self.clusterSize = clusterSize
    self.dataFile = dataFile
  }
}
