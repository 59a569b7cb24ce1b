internal import Foundation

/// Where libvirt's QEMU driver keeps the memory of saved guests.
enum SaveFolder {
  /// The folder of the daemon that a server belongs to; nil for other drivers and for embedded ones.
  static func path(
    of facts: Facts, isRoot: Bool = getuid() == 0,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    guard facts.hypervisor == "QEMU", let path = URLComponents(string: facts.uri)?.path else {
      return nil
    }
    switch path {
    case "/system": return "/var/lib/libvirt/qemu/save"
    // Root's session is the system's daemon.
    case "/session" where isRoot: return "/var/lib/libvirt/qemu/save"
    case "/session":
      let home = environment["HOME"] ?? NSHomeDirectory()
      let base = environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      return (base ?? home + "/.config") + "/libvirt/qemu/save"
    default: return nil
    }
  }
}
