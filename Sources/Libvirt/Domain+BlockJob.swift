internal import CLibvirt

/// A block job on one disk of a running domain.
public struct BlockJob: Sendable, Equatable {
  /// libvirt's number of its kind (`virDomainBlockJobType`): 2 is a copy.
  public let type: Int32
  /// How far it is; an opaque unit that grows to `end`.
  public let current: UInt64
  /// Where it ends; moves while the guest writes.
  public let end: UInt64

  /// Makes a description of a job.
  public init(type: Int32, current: UInt64, end: UInt64) {
    self.type = type
    self.current = current
    self.end = end
  }
}

extension Domain {
  /// The block job on a disk; nil when there is none (`virDomainGetBlockJobInfo`).
  ///
  /// - Parameter disk: the target, for example `vda`.
  public func blockJob(onDisk disk: String) async throws(LibvirtError) -> BlockJob? {
    try await value("virDomainGetBlockJobInfo", about: "disk '\(disk)'") { domain -> BlockJob?? in
      var info = virDomainBlockJobInfo()
      switch unsafe virDomainGetBlockJobInfo(domain, disk, &info, 0) {
      case 0: return .some(nil)
      case 1: return .some(BlockJob(type: info.type, current: info.cur, end: info.end))
      default: return nil
      }
    }
  }

  /// Starts to mirror a disk into an existing file that has the disk's own backing file
  /// (`virDomainBlockRebase` with COPY, REUSE_EXT and SHALLOW); wants a transient domain.
  ///
  /// - Parameters:
  ///   - disk: the target, for example `vda`.
  ///   - path: the prepared qcow2 file.
  public func startRebase(ofDisk disk: String, to path: String) async throws(LibvirtError) {
    let flags =
      VIR_DOMAIN_BLOCK_REBASE_COPY.rawValue | VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT.rawValue
      | VIR_DOMAIN_BLOCK_REBASE_SHALLOW.rawValue
    try await call("virDomainBlockRebase", about: "disk '\(disk)'") {
      unsafe virDomainBlockRebase($0, disk, path, 0, flags)
    }
  }

  /// The same through `virDomainBlockCopy` with TRANSIENT_JOB, which takes a persistent domain.
  ///
  /// - Parameters:
  ///   - disk: the target, for example `vda`.
  ///   - destinationXML: a `<disk>` element that names the prepared file and its format.
  public func startCopy(ofDisk disk: String, toXML destinationXML: String)
    async throws(LibvirtError)
  {
    let flags =
      VIR_DOMAIN_BLOCK_COPY_SHALLOW.rawValue | VIR_DOMAIN_BLOCK_COPY_REUSE_EXT.rawValue
      | VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB.rawValue
    try await call("virDomainBlockCopy", about: "disk '\(disk)'") {
      unsafe virDomainBlockCopy($0, disk, destinationXML, nil, 0, flags)
    }
  }

  /// Ends a mirror and leaves its target as it is at that instant (`virDomainBlockJobAbort`).
  ///
  /// Without ASYNC: when this returns, the job is gone.
  public func abortBlockJob(onDisk disk: String) async throws(LibvirtError) {
    try await call("virDomainBlockJobAbort", about: "disk '\(disk)'") {
      unsafe virDomainBlockJobAbort($0, disk, 0)
    }
  }
}
