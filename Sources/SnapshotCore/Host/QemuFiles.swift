internal import Foundation
internal import Libvirt

/// What a running QEMU has open. It lives in a mount namespace of its own: what was mounted or
/// replaced after its start, the daemon and this program see, and it does not.
enum QemuFiles {
  /// Whether the file that this process sees under a path is open in a domain's QEMU.
  ///
  /// - Throws: why the file can't be opened.
  static func isOpen(_ path: String, inQemuOf uuid: String) throws(SharedFileLock.SystemError)
    -> Bool
  {
    let file = try SharedFileLock(path: path)
    guard let identity = FileIdentity(path) else { return false }
    let answers = DaemonProcess.processes().filter { isQemu($0, of: uuid) }
      .compactMap { hasOpen($0, identity) }
    // A lock may be any QEMU's: it counts only if nothing of the guest's own can be seen.
    guard answers.isEmpty else { return answers.contains(true) }
    return (try? file.isOpenInQemu()) == true
  }

  private static func isQemu(_ process: Int32, of uuid: String) -> Bool {
    guard let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else {
      return false
    }
    let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    return zip(words, words.dropFirst()).contains { $0 == "-uuid" && $1 == uuid }
  }

  /// - Returns: nil if the kernel does not show this user what the process has open.
  private static func hasOpen(_ process: Int32, _ identity: FileIdentity) -> Bool? {
    let folder = "/proc/\(process)/fd"
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      return nil
    }
    return names.contains { FileIdentity("\(folder)/\($0)") == identity }
  }
}
