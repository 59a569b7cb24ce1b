internal import CLibvirt

extension Domain {
  /// Bounds every later agent call of this domain (`virDomainAgentSetResponseTimeout`).
  ///
  /// Without it a freeze waits without limit for an agent that once answered and then hung.
  ///
  /// - Parameter seconds: the bound; nil sets libvirt's default, which waits for ever.
  public func setAgentTimeout(seconds: Int32?) async throws(LibvirtError) {
    let value = seconds ?? VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK.rawValue
    try await call("virDomainAgentSetResponseTimeout") {
      unsafe virDomainAgentSetResponseTimeout($0, value, 0)
    }
  }

  /// Whether the agent answers an ordinary command now (`virDomainGetTime`).
  ///
  /// While file systems are frozen the agent refuses every command but thaw and status, so an
  /// answer also says that nobody else holds the guest frozen.
  public func askAgentForTime() async throws(LibvirtError) {
    try await call("virDomainGetTime", about: "the guest agent") { domain in
      var seconds: Int64 = 0
      var nanoseconds: UInt32 = 0
      return unsafe virDomainGetTime(domain, &seconds, &nanoseconds, 0)
    }
  }

  /// Freezes the guest's mounted file systems and says how many (`virDomainFSFreeze`).
  public func freeze() async throws(LibvirtError) -> Int {
    Int(
      try await call("virDomainFSFreeze", about: "the file systems") {
        unsafe virDomainFSFreeze($0, nil, 0, 0)
      })
  }

  /// Thaws the guest's file systems and says how many; harmless when none is frozen
  /// (`virDomainFSThaw`).
  @discardableResult
  public func thaw() async throws(LibvirtError) -> Int {
    Int(
      try await call("virDomainFSThaw", about: "the file systems") {
        unsafe virDomainFSThaw($0, nil, 0, 0)
      })
  }
}
