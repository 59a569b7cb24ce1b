internal import Glibc

/// Who listens at the other end of a local socket, as the kernel says it.
package struct SocketPeer: Sendable, Hashable {
  /// The socket's path.
  package let path: String
  /// The process that began to listen there, which need not be the one that answers: systemd listens
  /// for its services. 0 if it is in another PID namespace.
  package let process: Int32

  /// This process's connections to sockets with a path, by their inode.
  static func all() -> [UInt64: SocketPeer] {
    var found: [UInt64: SocketPeer] = [:]
    guard let directory = unsafe opendir("/proc/self/fd") else { return [:] }
    defer { unsafe closedir(directory) }
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      var status = stat()
      guard let descriptor = Int32(name), unsafe fstat(descriptor, &status) == 0,
        status.st_mode & S_IFMT == S_IFSOCK, let peer = SocketPeer(descriptor)
      else { continue }
      found[UInt64(status.st_ino)] = peer
    }
    return found
  }

  private init?(_ descriptor: Int32) {
    var address = sockaddr_un()
    var length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let isNamed = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getpeername(descriptor, $0, &length) == 0
      }
    }
    // The two ends of a pair, as libvirt has one to ssh, have no path.
    guard isNamed, address.sun_family == AF_UNIX, address.sun_path.0 != 0,
      length > MemoryLayout<sa_family_t>.size
    else { return nil }
    path = unsafe withUnsafePointer(to: &address.sun_path) {
      unsafe $0.withMemoryRebound(to: CChar.self, capacity: 108) { unsafe String(cString: $0) }
    }
    // `struct ucred`, which glibc declares to GNU programs only.
    var credentials: (process: pid_t, user: uid_t, group: gid_t) = (0, 0, 0)
    length = socklen_t(MemoryLayout<(pid_t, uid_t, gid_t)>.size)
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0
    else { return nil }
    process = credentials.process
  }
}
