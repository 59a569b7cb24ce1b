internal import CLibvirt

/// What the kernel writes of a process that crashed: all its memory, passwords, tokens and secret
/// domain XML included.
public enum CoreFiles {
  /// Keeps the kernel from writing one of this process, and other users' processes from reading its
  /// memory (`RLIMIT_CORE` 0, `PR_SET_DUMPABLE` 0). Meant as a program's first step.
  ///
  /// Programs started from here inherit the limit, not the rest. There is no way back.
  ///
  /// - Returns: whether it worked.
  @discardableResult
  public static func forbid() -> Bool { image_create_forbid_core_files() == 0 }
}
