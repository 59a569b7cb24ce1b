import Libvirt
import Testing

@testable import SnapshotCore

@Suite struct BeginRefusalTests {
  private static func error(
    _ code: LibvirtError.Code, _ message: String = "no", of operation: String = backup
  ) -> LibvirtError {
    LibvirtError(operation: operation, object: "server 'a'", code: code, message: message)
  }

  private static let backup = "virDomainBackupBegin"
  private static let copy = "virDomainBlockCopy"
  private static let denied =
    "internal error: unable to execute QEMU command 'nbd-server-start': Failed to bind socket to "
    + "/s/1/disk.sock: Permission denied"

  static let refusals: [LibvirtError] = [
    error(.operationUnsupported), error(.configUnsupported), error(.noSupport),
    error(.argumentUnsupported), error(.internalError, denied),
    error(.systemError, "unable to create '/s/1/scratch': Operation not permitted"),
    error(.operationUnsupported, of: copy), error(.argumentUnsupported, of: copy),
  ]

  @Test(arguments: refusals.indices)
  func `lacking support and denied files let another mechanism try`(_ index: Int) throws {
    let error = Self.refusals[index]
    let refusal = try #require(BeginRefusal(error, spoolFolder: "/s", security: .none))
    #expect(refusal.reason.contains(error.message) && refusal.hint == nil)
    // Whoever adds something to the error keeps it as the cause.
    let wrapped = SnapshotError(error)
    #expect(BeginRefusal(wrapped, spoolFolder: "/s", security: .none) != nil)
  }

  static let others: [any Error] = [
    // Busy, gone, stopped: another mechanism would meet the same.
    error(.operationTimeout), error(.operationInvalid), error(.noDomain), error(.internalError),
    error(.systemError, "No such file or directory"),
    error(.internalError, "Permission denied", of: copy),
    error(.operationUnsupported, of: "virDomainBlockRebase"),
    error(.argumentUnsupported, of: "virDomainFSFreeze"),
    SnapshotError(.serverBusy, "busy", remedy: "Wait"), CancellationError(),
  ]

  @Test(arguments: others.indices)
  func `nothing else does`(_ index: Int) {
    #expect(BeginRefusal(Self.others[index], spoolFolder: "/s", security: .appArmor) == nil)
  }

  @Test func `the remedy for AppArmor can be pasted`() throws {
    let error = Self.error(.internalError, Self.denied)
    let refusal = try #require(BeginRefusal(error, spoolFolder: "/srv/s", security: .appArmor))
    #expect(refusal.hint?.contains("`/srv/s/*/ r, /srv/s/*/qemu/{,*} rwk,`") == true)
    #expect(
      refusal.hint?.contains("/etc/apparmor.d/abstractions/libvirt-qemu.d/image-create") == true)
    let selinux = try #require(BeginRefusal(error, spoolFolder: "/s", security: .selinux))
    #expect(selinux.hint?.contains("ausearch") == true)
  }
}
