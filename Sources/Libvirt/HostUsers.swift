internal import CLibvirt
internal import Glibc
internal import Synchronization

/// What the host says of users, groups and access lists.
package enum HostUsers {
  /// The calls answer in memory of their own, which the next call uses again.
  private static let turn = Mutex(())

  /// A group's number (`getgrnam`).
  package static func group(named name: String) -> UInt32? {
    turn.withLock { _ in
      guard let group = unsafe getgrnam(name) else { return nil }
      return unsafe group.pointee.gr_gid
    }
  }

  /// Whether a group is one user's alone, as most distributions create one with each user: it has the
  /// user's name, no other member, and is no other user's primary group (`getgrgid`, `getpwent`).
  package static func isPrivate(group: UInt32, to user: UInt32) -> Bool {
    turn.withLock { _ in
      let name = unsafe getpwuid(user).map { unsafe String(cString: $0.pointee.pw_name) }
      if let entry = unsafe getgrgid(group) {
        guard unsafe String(cString: entry.pointee.gr_name) == name else { return false }
        var members = unsafe entry.pointee.gr_mem
        while let member = unsafe members?.pointee {
          guard unsafe String(cString: member) == name else { return false }
          unsafe members = unsafe members?.successor()
        }
      }
      setpwent()
      defer { endpwent() }
      while let other = unsafe getpwent() {
        if unsafe other.pointee.pw_gid == group, unsafe other.pointee.pw_uid != user {
          return false
        }
      }
      return true
    }
  }

  /// Whether a file has an access list beside its mode (`getxattr`), which then lets others in by name
  /// as far as the mode's bits of the group go.
  package static func hasAccessList(_ path: String) -> Bool {
    unsafe getxattr(path, "system.posix_acl_access", nil, 0) > 0
  }
}
