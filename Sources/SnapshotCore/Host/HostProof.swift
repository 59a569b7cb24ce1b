internal import Foundation
internal import Libvirt

/// Proof that the libvirt daemon, and the QEMU of a running guest, see the same files as this program
/// under the same paths.
///
/// A URI does not say where its daemon is: one of another host, or of a container, may have other
/// files under the same paths, and an image of those would be wrong and look right. Names and
/// identifiers of hosts prove nothing: clones share them.
struct HostProof: Sendable {
  /// What helps if a disk is not shown to be the guest's.
  static var remedy: String {
    getuid() == 0
      ? "Run image-create on the host that has the disk"
      : "Run image-create as root, who can see which files the daemon has, on the host that has the disk"
  }

  private enum Extent: Sendable {
    /// The daemon has this process's file systems.
    case everything
    /// The daemon was seen to find a file in the spool folder.
    case spoolFolder
  }

  private let extent: Extent
  private let hosts: Hosts

  /// Looks for proof; opens no disk.
  ///
  /// - Parameter spoolFolder: where QEMU would write; need not exist.
  /// - Throws: `notThisHost` if there is none even for that folder.
  static func of(_ connection: Connection, spoolFolder: String) async throws -> HostProof {
    let hosts = Hosts(
      daemon: (try? await connection.hostname()) ?? "unknown",
      ours: ProcessInfo.processInfo.hostName)
    func proof(_ extent: Extent) -> HostProof {
      HostProof(extent: extent, hosts: hosts)
    }
    if isInProcess(connection.uri) { return proof(.everything) }
    if !connection.peers.isEmpty, connection.peers.allSatisfy(DaemonProcess.sharesFiles) {
      return proof(.everything)
    }
    if try await SharedFolder.isFound(spoolFolder, by: connection) { return proof(.spoolFolder) }
    throw SnapshotError(
      .notThisHost,
      "libvirt at \(connection.uri) runs on host '\(hosts.daemon)' and cannot be shown to see the "
        + "files of this host, '\(hosts.ours)'",
      remedy: hosts.remedy)
  }

  /// Why the file under a disk's path can't be taken for the guest's; nil if it can.
  ///
  /// What a running QEMU has open says itself what it is. A file that nobody has open is the daemon's
  /// only if the daemon has all of our mounts.
  ///
  /// - Parameter qemu: the domain's UUID if a QEMU process has the disk open.
  func obstacle(to path: String, openInQemuOf qemu: String?) async -> String? {
    if let qemu {
      let isOpen = try? await BlockingCall.run { () throws(SharedFileLock.SystemError) in
        try QemuFiles.isOpen(path, inQemuOf: qemu)
      }
      if isOpen == true { return nil }
      // One that can't be opened here can't be read here: that has a message of its own.
      if isOpen == nil, case .everything = extent { return nil }
      return "the server's QEMU on host '\(hosts.daemon)' does not have \(path) of this host, "
        + "'\(hosts.ours)', open"
    }
    if case .everything = extent { return nil }
    return "libvirt on host '\(hosts.daemon)' cannot be shown to see \(path) of this host, "
      + "'\(hosts.ours)'"
  }

  /// Whether libvirt's driver runs in this process: these URIs reach no daemon, by their definition.
  private static func isInProcess(_ uri: String) -> Bool {
    guard let parts = URLComponents(string: uri), parts.host ?? "" == "" else { return false }
    return parts.scheme == "test" || parts.path == "/embed"
  }

  /// The hosts of the daemon and of this program, for messages.
  private struct Hosts: Sendable {
    let daemon: String
    let ours: String

    var remedy: String {
      if daemon == ours, getuid() != 0 {
        return "Run image-create as root, who can see which files the daemon has"
      }
      return daemon == ours
        ? "Run image-create where the daemon runs, outside of containers and mount namespaces"
        : "Run image-create on host '\(daemon)'"
    }
  }
}
