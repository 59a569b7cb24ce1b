public import Libvirt

/// Reads the facts of one server; changes nothing.
public struct FactsReader: Sendable {
  private let spoolFolder: String

  /// Creates a reader.
  ///
  /// - Parameter spoolFolder: where large files would go; need not exist.
  public init(spoolFolder: String) { self.spoolFolder = spoolFolder }

  /// Reads everything that the decision needs.
  ///
  /// Of the disks only the one that would be taken is looked at: what is wrong with another one is
  /// no reason to refuse. What is wrong with its own files is a fact, for a running QEMU can offer it
  /// all the same.
  ///
  /// - Parameter disk: the target of the disk to take; nil for the root disk.
  /// - Throws: `notThisHost` if the daemon cannot be shown to see this host's files; `libvirtFailed`,
  ///   `badXML`.
  public func read(_ domain: Domain, disk: String? = nil) async throws(SnapshotError) -> Facts {
    do {
      let connection = domain.connection
      let state = try await domain.state()
      let isPersistent = try await domain.isPersistent()
      let hasManagedSaveImage = try await domain.hasManagedSaveImage()
      var description = try DomainXML.parse(try await domain.xml())
      if hasManagedSaveImage { description.disks = try await FactsReader.disks(of: domain) }
      var facts = Facts(
        uri: connection.uri, hypervisor: try await connection.hypervisorType(),
        hypervisorVersion: try await connection.hypervisorVersion(),
        daemonVersion: try await connection.daemonVersion(), state: state,
        isPersistent: isPersistent, hasManagedSaveImage: hasManagedSaveImage,
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
      facts.isLeftByMigration = try await domain.isLeftByMigration()
      let proof = try await HostProof.of(connection, spoolFolder: spoolFolder)
      let choice = DiskChoice(facts: facts, request: Request(disk: disk))
      if let (chosen, _) = try? choice.disk() {
        facts.disks[chosen.target] = try await self.facts(of: chosen, in: domain, facts, proof)
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

  /// The disks as the server has them now. A saved one has those that it was saved with, whatever its
  /// definition says for the next cold start.
  static func disks(of domain: Domain) async throws -> [DiskDescription] {
    let saved = try await domain.id() == nil ? try await domain.managedSaveXML() : nil
    if let saved { return try DomainXML.parse(saved).disks }
    return try DomainXML.parse(try await domain.xml()).disks
  }

  private func facts(
    of disk: DiskDescription, in domain: Domain, _ server: Facts, _ proof: HostProof
  ) async throws -> DiskFacts {
    let isActive = server.isActive
    let qemu = isActive && server.hypervisor == "QEMU" ? domain.uuid : nil
    var facts = DiskFacts(virtualSize: 0, chain: [])
    do {
      // Before any file is opened.
      facts.chain = try await ChainReader(qemuImg: QemuImg()).read(disk) {
        await proof.obstacle(to: $0, openInQemuOf: qemu)
      }
    } catch {
      guard error.code == .unreadableDisk else { throw error }
      facts.fault = DiskFacts.Fault(reason: error.reason, remedy: error.remedy)
    }
    let opened = isActive ? try await capacity(of: disk, in: domain) : nil
    facts.virtualSize = opened ?? facts.chain.first?.virtualSize ?? 0
    if isActive { facts.blockJob = try await blockJob(of: disk, in: domain) }
    if case .file(let path) = disk.source, !facts.chain.isEmpty,
      let spool = FileSystem.holding(spoolFolder), spool.hasReflinks
    {
      facts.isClonable = FileSystem.holding(path)?.id == spool.id
    }
    facts.networkFileSystem =
      facts.chain.lazy
      .compactMap { FileSystem.holding($0.path)?.networkName }.first
    if let path = disk.source.path {
      facts.otherServer = try await ActiveDisks(besides: domain.uuid, on: domain.connection)
        .server(using: path)
    }
    return facts
  }

  /// What QEMU takes for the size of a disk that it has open; nil if the driver cannot say.
  private func capacity(of disk: DiskDescription, in domain: Domain) async throws(LibvirtError)
    -> UInt64?
  {
    do {
      return try await domain.capacity(ofDisk: disk.target)
    } catch {
      guard error.code == .noSupport else { throw error }
      return nil
    }
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
}
