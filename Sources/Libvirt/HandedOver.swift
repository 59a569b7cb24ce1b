internal import CLibvirt
internal import Glibc

/// What one process of this program hands to the next one without showing it to others.
package enum HandedOver {
  /// A new file that exists in memory only and has no name (`memfd_create`).
  ///
  /// - Returns: its descriptor, closed on exec, or nil with `errno` set.
  package static func file() -> Int32? {
    let descriptor = image_create_memory_file()
    return descriptor < 0 ? nil : descriptor
  }

  /// Sets variables of this process (`setenv`), where libvirt and libcurl look for them. They do not
  /// show in `/proc/PID/environ`. Meant as a program's first step: other threads may read them.
  package static func set(_ variables: [String: String]) {
    for (name, value) in variables { unsafe setenv(name, value, 1) }
  }
}
