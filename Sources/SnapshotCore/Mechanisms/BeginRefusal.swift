internal import Foundation
internal import Libvirt

/// Why a mechanism was refused when it began although the facts spoke for it, and another one may
/// not be: this QEMU lacks it, or may not create what it needs.
///
/// libvirt tells what the *installed* QEMU can do; a guest that was started before an upgrade runs an
/// older one. And no fact tells what AppArmor or SELinux allow QEMU.
struct BeginRefusal {
  let reason: String
  /// What lets the mechanism work the next time, if that is known.
  let hint: String?

  /// - Returns: nil if the error is of another kind, which another mechanism would meet, too.
  init?(_ error: any Error, spoolFolder: String, security: Security = .ofThisHost()) {
    guard let error = BeginRefusal.libvirtError(error) else { return nil }
    switch error.operation {
    case "virDomainBackupBegin":
      if BeginRefusal.isUnsupported(error) {
        reason = "this QEMU cannot do it: \(error.message)"
        hint = nil
      } else if BeginRefusal.isDenied(error) {
        reason = "QEMU may not create its files in \(spoolFolder): \(error.message)"
        hint = security.hint(spoolFolder: spoolFolder)
      } else {
        return nil
      }
    case "virDomainBlockCopy":
      // What QEMU may not open for a copy, it may not open for a rebase.
      guard BeginRefusal.isUnsupported(error) else { return nil }
      reason = "this QEMU cannot do it: \(error.message)"
      hint = nil
    default: return nil
    }
  }

  private static func libvirtError(_ error: any Error) -> LibvirtError? {
    (error as? LibvirtError) ?? (error as? SnapshotError)?.cause.flatMap(libvirtError)
  }

  private static func isUnsupported(_ error: LibvirtError) -> Bool {
    switch error.code {
    case .noSupport, .configUnsupported, .argumentUnsupported, .operationUnsupported: true
    default: false
    }
  }

  /// QEMU's own failure has no number: libvirt hands its message on as an internal error.
  private static func isDenied(_ error: LibvirtError) -> Bool {
    guard error.code == .internalError || error.code == .systemError else { return false }
    return error.message.contains("Permission denied")
      || error.message.contains("Operation not permitted")
  }

  /// What confines QEMU on this host.
  enum Security {
    case appArmor
    case selinux
    case none

    static func ofThisHost() -> Security {
      let appArmor = try? String(
        contentsOfFile: "/sys/module/apparmor/parameters/enabled", encoding: .utf8)
      if appArmor?.hasPrefix("Y") == true { return .appArmor }
      return FileManager.default.fileExists(atPath: "/sys/fs/selinux/enforce") ? .selinux : .none
    }

    func hint(spoolFolder: String) -> String? {
      switch self {
      case .appArmor:
        "if AppArmor forbids it, add `\(spoolFolder)/*/ r, \(spoolFolder)/*/qemu/{,*} rwk,` to "
          + "/etc/apparmor.d/abstractions/libvirt-qemu.d/image-create (Debian 12: "
          + "/etc/apparmor.d/local/abstractions/libvirt-qemu) and restart the guest"
      case .selinux:
        "if SELinux forbids it, `ausearch -m avc -ts recent` shows what it wants"
      case .none: nil
      }
    }
  }
}
