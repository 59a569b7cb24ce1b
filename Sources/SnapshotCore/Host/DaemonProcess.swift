internal import Foundation
internal import Libvirt

/// The process at the other end of a connection to a libvirt daemon.
enum DaemonProcess {
  /// Whether the daemon behind a socket has the mounts and the root directory of this process.
  static func sharesFiles(_ peer: SocketPeer) -> Bool {
    let processes = answering(peer)
    return !processes.isEmpty && processes.allSatisfy { isDaemon($0) && sharesFiles($0) }
  }

  /// What forwards a socket to another host (ssh, socat) is a process of this host, too.
  private static let daemons: Set = ["libvirtd", "virtlxcd", "virtproxyd", "virtqemud"]

  private static func isDaemon(_ process: Int32) -> Bool {
    // After an upgrade the link ends in " (deleted)".
    let name = link("/proc/\(process)/exe")?.split(separator: "/").last?.split(separator: " ").first
    return name.map { daemons.contains(String($0)) } ?? false
  }

  /// Whether a process sees the same files as this one; false if the kernel won't say.
  static func sharesFiles(_ process: Int32) -> Bool {
    guard let theirs = link("/proc/\(process)/ns/mnt"), theirs == link("/proc/self/ns/mnt"),
      let root = FileIdentity("/proc/\(process)/root")
    else { return false }
    return root == FileIdentity("/")
  }

  /// The processes that have accepted connections on a socket.
  ///
  /// The kernel names the one that began to listen. With socket activation that is systemd, whose
  /// mounts need not be its service's.
  private static func answering(_ peer: SocketPeer) -> [Int32] {
    let sockets = accepted(on: peer.path)
    if peer.process > 0, holds(peer.process, anyOf: sockets) { return [peer.process] }
    return processes().filter { holds($0, anyOf: sockets) }
  }

  private static func holds(_ process: Int32, anyOf sockets: Set<String>) -> Bool {
    let folder = "/proc/\(process)/fd"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.contains { link("\(folder)/\($0)").map(sockets.contains) ?? false }
  }

  /// The accepted sockets of a listening one, as links in /proc/PID/fd name them.
  private static func accepted(on path: String) -> Set<String> {
    let table = (try? String(contentsOfFile: "/proc/net/unix", encoding: .utf8)) ?? ""
    var found: Set<String> = []
    for line in table.split(separator: "\n").dropFirst() {
      // Num RefCount Protocol Flags Type St Inode Path; St 03 is connected.
      let columns = line.split(separator: " ", maxSplits: 7)
      guard columns.count == 8, columns[5] == "03", columns[7] == path else { continue }
      found.insert("socket:[\(columns[6])]")
    }
    return found
  }

  /// Every process that can be seen.
  static func processes() -> [Int32] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap {
      Int32($0)
    }
  }

  private static func link(_ path: String) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: path)
  }
}
