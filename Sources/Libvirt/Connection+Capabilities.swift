internal import CLibvirt
internal import Glibc

extension Connection {
  /// What the hypervisor can do for a domain (`virConnectGetDomainCapabilities`); nil if the driver
  /// or the daemon does not say.
  ///
  /// - Parameters:
  ///   - emulator: the path of the domain's emulator; nil for the default one.
  ///   - type: the domain's type, for example `kvm`.
  package func domainCapabilities(
    emulator: String?, architecture: String?, machine: String?, type: String?
  ) async throws(LibvirtError) -> String? {
    do {
      return try await call("virConnectGetDomainCapabilities") { connection in
        guard
          let text = unsafe virConnectGetDomainCapabilities(
            connection, emulator, architecture, machine, type, 0)
        else { return nil }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
      }
    } catch let error where error.code != .operationTimeout {
      return nil
    }
  }
}
