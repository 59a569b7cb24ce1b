internal import CLibvirt
internal import Glibc

extension Domain {
  /// What may be asked of `virDomainGetXMLDesc`.
  public struct XMLForm: OptionSet, Sendable {
    /// The flags, as in `virDomainXMLFlags`.
    public let rawValue: UInt32
    /// Wraps flags of `virDomainXMLFlags`.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// With passwords: never to be logged.
    public static let secure = XMLForm(rawValue: VIR_DOMAIN_XML_SECURE.rawValue)
    /// The definition for the next start, not the running one.
    public static let inactive = XMLForm(rawValue: VIR_DOMAIN_XML_INACTIVE.rawValue)
  }

  /// The domain's XML (`virDomainGetXMLDesc`).
  public func xml(_ form: XMLForm = []) async throws(LibvirtError) -> String {
    try await value("virDomainGetXMLDesc") { domain in
      guard let text = unsafe virDomainGetXMLDesc(domain, form.rawValue) else { return nil }
      defer { unsafe free(text) }
      return unsafe String(cString: text)
    }
  }

  /// What the domain is doing (`virDomainGetState`).
  public func state() async throws(LibvirtError) -> DomainState {
    let number: Int32 = try await value("virDomainGetState") { domain in
      var state: Int32 = 0
      return unsafe virDomainGetState(domain, &state, nil, 0) == 0 ? state : nil
    }
    return DomainState(rawValue: number) ?? .noState
  }

  /// Whether QEMU stopped the guest because a disk could not be written
  /// (`virDomainGetState`, reason `VIR_DOMAIN_PAUSED_IOERROR`).
  public func isPausedByDiskError() async throws(LibvirtError) -> Bool {
    try await value("virDomainGetState") { domain in
      var state: Int32 = 0
      var reason: Int32 = 0
      guard unsafe virDomainGetState(domain, &state, &reason, 0) == 0 else { return nil }
      return state == DomainState.paused.rawValue
        && reason == Int32(VIR_DOMAIN_PAUSED_IOERROR.rawValue)
    }
  }

  /// The id of a running domain; nil when it does not run (`virDomainGetID`).
  public func id() async throws(LibvirtError) -> UInt32? {
    let id: UInt32 = try await value("virDomainGetID") { unsafe virDomainGetID($0) }
    return id == UInt32.max ? nil : id
  }

  /// Whether a definition outlives the running guest (`virDomainIsPersistent`).
  public func isPersistent() async throws(LibvirtError) -> Bool {
    try await call("virDomainIsPersistent") { unsafe virDomainIsPersistent($0) } == 1
  }

  /// Whether a managed save image waits for the next start (`virDomainHasManagedSaveImage`).
  public func hasManagedSaveImage() async throws(LibvirtError) -> Bool {
    do {
      return try await call("virDomainHasManagedSaveImage") {
        unsafe virDomainHasManagedSaveImage($0, 0)
      } == 1
    } catch let error where error.code == .noSupport {
      return false
    }
  }

  /// The XML of the domain as it was saved (`virDomainManagedSaveGetXMLDesc`); nil if there is no
  /// managed save image, or the daemon is older than 3.7.
  package func managedSaveXML() async throws(LibvirtError) -> String? {
    do {
      return try await value("virDomainManagedSaveGetXMLDesc") { domain in
        guard let text = unsafe virDomainManagedSaveGetXMLDesc(domain, 0) else { return nil }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
      }
    } catch {
      guard error.code == .noSupport || error.code == .operationInvalid else { throw error }
      return nil
    }
  }

  /// Whether the domain starts with the host (`virDomainGetAutostart`); false for a transient one.
  public func autostarts() async throws(LibvirtError) -> Bool {
    let flag: Int32 = try await value("virDomainGetAutostart") { domain in
      var autostart: Int32 = 0
      return unsafe virDomainGetAutostart(domain, &autostart) == 0 ? autostart : nil
    }
    return flag == 1
  }

  /// How many snapshots libvirt keeps metadata of (`virDomainSnapshotNum`).
  public func snapshotCount() async throws(LibvirtError) -> Int {
    do {
      return Int(try await call("virDomainSnapshotNum") { unsafe virDomainSnapshotNum($0, 0) })
    } catch let error where error.code == .noSupport {
      return 0
    }
  }

  /// How many checkpoints libvirt keeps metadata of (`virDomainListAllCheckpoints`).
  public func checkpointCount() async throws(LibvirtError) -> Int {
    do {
      let count = try await call("virDomainListAllCheckpoints") {
        unsafe virDomainListAllCheckpoints($0, nil, 0)
      }
      return Int(count)
    } catch let error where error.code == .noSupport {
      return 0
    }
  }

  /// The domain-wide job under way (`virDomainGetJobInfo`).
  public func job() async throws(LibvirtError) -> DomainJob? {
    do {
      return try await value("virDomainGetJobInfo") { domain -> DomainJob?? in
        var info = virDomainJobInfo()
        guard unsafe virDomainGetJobInfo(domain, &info) == 0 else { return nil }
        let isRunning =
          info.type == Int32(VIR_DOMAIN_JOB_BOUNDED.rawValue)
          || info.type == Int32(VIR_DOMAIN_JOB_UNBOUNDED.rawValue)
        guard isRunning else { return .some(nil) }
        return .some(
          DomainJob(bytesDone: info.dataProcessed, bytesTotal: info.dataTotal))
      }
    } catch {
      switch error.code {
      case .noSupport, .operationInvalid: return nil
      // libvirt's answer while a backup job is just beginning or ending: there is one.
      case .internalError: return DomainJob(bytesDone: 0, bytesTotal: 0)
      default: throw error
      }
    }
  }

  /// A disk's virtual size in bytes (`virDomainGetBlockInfo`).
  ///
  /// - Parameter disk: the target, for example `vda`.
  public func capacity(ofDisk disk: String) async throws(LibvirtError) -> UInt64 {
    try await value("virDomainGetBlockInfo", about: "disk '\(disk)'") { domain in
      var info = virDomainBlockInfo()
      return unsafe virDomainGetBlockInfo(domain, disk, &info, 0) == 0 ? info.capacity : nil
    }
  }
}

/// A domain-wide job: save, migration, backup or dump.
public struct DomainJob: Sendable, Equatable {
  /// Bytes done.
  public let bytesDone: UInt64
  /// Bytes in all, as far as the hypervisor knows.
  public let bytesTotal: UInt64

  /// Makes a description of a job.
  public init(bytesDone: UInt64, bytesTotal: UInt64) {
    self.bytesDone = bytesDone
    self.bytesTotal = bytesTotal
  }
}
