internal import SystemPackage

/// What a path leads to, whatever it is called: a file by its file system and inode, a block device by
/// its number.
struct FileIdentity: Sendable, Hashable {
  /// Whether it is a block device.
  let isBlockDevice: Bool
  private let device: UInt64
  private let inode: UInt64

  /// - Returns: nil if nothing is there, or nothing that can be seen.
  init?(_ path: String) {
    guard let stat = try? FilePath(path).stat() else { return nil }
    isBlockDevice = stat.type == .blockSpecial
    device = UInt64(isBlockDevice ? stat.specialDeviceID.rawValue : stat.deviceID.rawValue)
    inode = isBlockDevice ? 0 : UInt64(stat.inode.rawValue)
  }

  /// The device's folder in /sys; nil if it is a file.
  var deviceFolder: String? {
    guard isBlockDevice else { return nil }
    // As glibc's gnu_dev_major and gnu_dev_minor.
    let major = (device >> 8) & 0xfff | (device >> 32) & ~0xfff
    let minor = device & 0xff | (device >> 12) & ~0xff
    return "/sys/dev/block/\(major):\(minor)"
  }
}
