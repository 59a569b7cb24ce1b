internal import CLibvirt

extension Domain {
  /// Saves memory and device state to libvirt's own file and stops the guest
  /// (`virDomainManagedSave`); a paused guest is saved as paused.
  public func managedSave() async throws(LibvirtError) {
    try await call("virDomainManagedSave", within: LibvirtError.memoryLimit) {
      unsafe virDomainManagedSave($0, 0)
    }
  }

  /// Removes libvirt's own file of saved memory (`virDomainManagedSaveRemove`).
  public func removeManagedSaveImage() async throws(LibvirtError) {
    try await call("virDomainManagedSaveRemove") { unsafe virDomainManagedSaveRemove($0, 0) }
  }

  /// Starts the domain, from its managed save image where it has one
  /// (`virDomainCreateWithFlags`); one that was saved paused stays paused.
  public func start() async throws(LibvirtError) {
    try await call("virDomainCreateWithFlags", within: LibvirtError.memoryLimit) {
      unsafe virDomainCreateWithFlags($0, 0)
    }
  }

  /// Lets a paused guest run on (`virDomainResume`).
  public func resume() async throws(LibvirtError) {
    try await call("virDomainResume") { unsafe virDomainResume($0) }
  }

  /// Ends the domain-wide job under way (`virDomainAbortJob`).
  public func abortJob() async throws(LibvirtError) {
    try await call("virDomainAbortJob") { unsafe virDomainAbortJob($0) }
  }

  /// The domain-wide job under way, with what it does (`virDomainGetJobStats`); nil if there is none,
  /// or if the daemon can't say.
  package func jobStatus() async throws(LibvirtError) -> JobStatus? {
    do {
      return try await value("virDomainGetJobStats") { domain -> JobStatus?? in
        var type: Int32 = 0
        var parameters: virTypedParameterPtr?
        var count: Int32 = 0
        guard unsafe virDomainGetJobStats(domain, &type, &parameters, &count, 0) == 0 else {
          return nil
        }
        defer { unsafe virTypedParamsFree(parameters, count) }
        guard
          type == Int32(VIR_DOMAIN_JOB_BOUNDED.rawValue)
            || type == Int32(VIR_DOMAIN_JOB_UNBOUNDED.rawValue)
        else { return .some(nil) }
        var operation: Int32 = 0
        _ = unsafe virTypedParamsGetInt(parameters, count, "operation", &operation)
        var elapsed: UInt64 = 0
        let isKnown = unsafe virTypedParamsGetULLong(parameters, count, "time_elapsed", &elapsed)
        return JobStatus(
          isSave: operation == Int32(VIR_DOMAIN_JOB_OPERATION_SAVE.rawValue),
          elapsed: isKnown == 1 ? .milliseconds(Int64(clamping: elapsed)) : nil)
      }
    } catch {
      switch error.code {
      case .noSupport, .operationInvalid, .internalError: return nil
      default: throw error
      }
    }
  }

  /// What `undefine` must leave in place.
  public struct Keep: OptionSet, Sendable {
    /// The flags, as in `virDomainUndefineFlagsValues`.
    public let rawValue: UInt32
    /// Wraps flags of `virDomainUndefineFlagsValues`.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// The UEFI variables; a daemon older than 2.3 refuses the flag.
    public static let nvram = Keep(rawValue: VIR_DOMAIN_UNDEFINE_KEEP_NVRAM.rawValue)
    /// The state of the emulated TPM; a daemon older than 8.9 refuses the flag.
    public static let tpm = Keep(rawValue: VIR_DOMAIN_UNDEFINE_KEEP_TPM.rawValue)
  }

  /// Removes the definition; a running guest becomes transient (`virDomainUndefineFlags`).
  public func undefine(keeping keep: Keep) async throws(LibvirtError) {
    try await call("virDomainUndefineFlags") { unsafe virDomainUndefineFlags($0, keep.rawValue) }
  }

  /// Makes the domain start with the host, or not (`virDomainSetAutostart`).
  public func setAutostart(_ on: Bool) async throws(LibvirtError) {
    try await call("virDomainSetAutostart") { unsafe virDomainSetAutostart($0, on ? 1 : 0) }
  }

  /// Takes a device out of the running guest (`virDomainDetachDeviceFlags`, LIVE).
  ///
  /// The guest gives the device up later; look for it in the live XML.
  public func detach(deviceXML: String) async throws(LibvirtError) {
    try await call("virDomainDetachDeviceFlags", about: "a host device") {
      unsafe virDomainDetachDeviceFlags($0, deviceXML, VIR_DOMAIN_AFFECT_LIVE.rawValue)
    }
  }

  /// Puts a device into the running guest (`virDomainAttachDeviceFlags`, LIVE).
  public func attach(deviceXML: String) async throws(LibvirtError) {
    try await call("virDomainAttachDeviceFlags", about: "a host device") {
      unsafe virDomainAttachDeviceFlags($0, deviceXML, VIR_DOMAIN_AFFECT_LIVE.rawValue)
    }
  }
}

/// What a domain-wide job does, and since when.
package struct JobStatus: Sendable, Equatable {
  /// Whether it saves the guest's memory to a file.
  package let isSave: Bool
  /// How long it has been under way, if the daemon says so.
  package let elapsed: Duration?

  /// Makes a status.
  package init(isSave: Bool, elapsed: Duration?) {
    self.isSave = isSave
    self.elapsed = elapsed
  }
}
