public import Libvirt

/// Reads the facts of one server; changes nothing.
public struct FactsReader: Sendable {
  private let qemuImg = QemuImg()
  private let spoolFolder: String

  /// Makes a reader.
  ///
  /// - Parameter spoolFolder: where large files would go; need not exist.
  public init(spoolFolder: String) { self.spoolFolder = spoolFolder }

  /// Reads everything that the decision needs.
  ///
  /// - Throws: `libvirtFailed`, `badXML`; `unreadableDisk` where a disk or a file below it can't
  ///   be read.
  public func read(_ domain: Domain) async throws(SnapshotError) -> Facts {
    do {
      let connection = domain.connection
      let state = try await domain.state()
      let isPersistent = try await domain.isPersistent()
      let description = try DomainXML.parse(try await domain.xml())
      var facts = Facts(
        uri: connection.uri, hypervisor: try await connection.hypervisorType(),
        hypervisorVersion: try await connection.hypervisorVersion(),
        daemonVersion: try await connection.daemonVersion(), state: state,
        isPersistent: isPersistent,
        hasManagedSaveImage: try await domain.hasManagedSaveImage(),
        autostarts: isPersistent ? try await domain.autostarts() : false,
        snapshotCount: try await domain.snapshotCount(),
        checkpointCount: try await domain.checkpointCount(), domain: description, disks: [:])
      if facts.isActive {
        facts.job = try await domain.job()
        facts.hasBackupJobs = try await connection.domainCapabilities(
          emulator: description.emulator, architecture: description.architecture,
          machine: description.machine, type: description.type
        ).flatMap(DomainCapabilities.hasBackupJobs)
      }
      for disk in description.disks where disk.device == "disk" && disk.source != .none {
        facts.disks[disk.target] = try await self.facts(
          of: disk, in: domain, isActive: facts.isActive)
      }
      return facts
    } catch let error as LibvirtError {
      throw SnapshotError(error)
    } catch let error as SnapshotError {
      throw error
    } catch {
      throw SnapshotError(
        .libvirtFailed, "the facts of server '\(domain.name)' could not be read: \(error)",
        remedy: "Try again", cause: error)
    }
  }

  private func facts(of disk: DiskDescription, in domain: Domain, isActive: Bool)
    async throws -> DiskFacts
  {
    let chain = try await self.chain(of: disk)
    var size = chain.first?.virtualSize ?? 0
    if chain.isEmpty { size = try await domain.capacity(ofDisk: disk.target) }
    let job = isActive ? try await blockJob(of: disk, in: domain) : DiskFacts.BlockJobFact.none
    var isClonable = false
    // The clone of a file with an external data file would share that with the guest.
    if case .file(let path) = disk.source, chain.first?.dataFile == nil,
      let spool = await FileSystem.holding(spoolFolder),
      spool.hasReflinks
    {
      isClonable = await FileSystem.holding(path) == spool
    }
    return DiskFacts(virtualSize: size, chain: chain, blockJob: job, isClonable: isClonable)
  }

  private func blockJob(of disk: DiskDescription, in domain: Domain) async throws(LibvirtError)
    -> DiskFacts.BlockJobFact
  {
    do {
      guard let job = try await domain.blockJob(onDisk: disk.target) else { return .none }
      return .active(job)
    } catch {
      // Nova asks blockJobAbort whether block jobs are possible, which would end someone else's.
      guard error.code == .configUnsupported || error.code == .noSupport else { throw error }
      return .unsupported
    }
  }

  /// The files from the disk down, each opened with the format that the layer above it states.
  ///
  /// A format is never probed: a guest can write any header into a raw disk.
  private func chain(of disk: DiskDescription) async throws(SnapshotError) -> [ImageLayer] {
    guard var path = disk.source.path, disk.encryption == nil else { return [] }
    var format = disk.format
    var layers: [ImageLayer] = []
    while true {
      // QEMU takes `json:…` and `nbd:…` for something else than a file.
      guard path.hasPrefix("/") else {
        throw SnapshotError(
          .unreadableDisk,
          "disk '\(disk.target)' is or has below it '\(path)', which is no file of this host",
          remedy: "Flatten the disk first, with `virsh blockpull` or `qemu-img rebase`")
      }
      let info = try await qemuImg.info(path, format: format)
      layers.append(info.layer)
      guard let backing = info.backing else { return layers }
      guard !layers.contains(where: { $0.path == backing.path }) else {
        throw SnapshotError(
          .unreadableDisk,
          "the backing chain of disk '\(disk.target)' leads back to \(backing.path)",
          remedy: "Repair the chain with `qemu-img rebase`")
      }
      let stated = disk.backing.first { $0.path == backing.path }?.format
      guard let next = backing.format ?? stated else {
        throw SnapshotError(
          .unreadableDisk,
          "\(path) does not say which format its backing file \(backing.path) has",
          remedy: "State it: `qemu-img rebase -u -f \(format) -b \(backing.path) -F FORMAT \(path)`"
        )
      }
      path = backing.path
      format = next
    }
  }
}
