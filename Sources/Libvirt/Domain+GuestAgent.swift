internal import CLibvirt

extension Domain {
  /// What is left behind as the bound of agent calls, in seconds.
  ///
  /// libvirt can't be asked for the bound that was there. Its own for a guest that was just started
  /// (`VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK`) waits for ever and would take away one that somebody
  /// had set; `…_DEFAULT` is 5 s, less than an honest freeze may take. This is more than any call of
  /// an agent that works.
  private static let agentSecondsAfterwards: Int32 = 600

  /// Bounds every later agent call of this domain (`virDomainAgentSetResponseTimeout`).
  ///
  /// Without it a freeze waits without limit for an agent that once answered and then hung.
  ///
  /// - Parameter seconds: the bound; nil sets one that hinders nobody.
  public func setAgentTimeout(seconds: Int32?) async throws(LibvirtError) {
    let value = seconds ?? Domain.agentSecondsAfterwards
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
  ///
  /// - Parameter limit: how long to wait; the call goes on after that.
  @discardableResult
  public func thaw(within limit: Duration? = nil) async throws(LibvirtError) -> Int {
    Int(
      try await call(
        "virDomainFSThaw", about: "the file systems", within: limit ?? LibvirtError.usualLimit
      ) {
        unsafe virDomainFSThaw($0, nil, 0, 0)
      })
  }
}
