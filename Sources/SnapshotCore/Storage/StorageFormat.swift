/// A format of a disk or of a file below it that QEMU's programs may open here, with QEMU's name.
///
/// An allow list: a driver that is not named here may follow what it reads to other files or hosts.
public enum StorageFormat: String, Sendable, CaseIterable {
  /// Bytes as they are.
  case raw
  /// QEMU's own.
  case qcow2
  /// QEMU's earlier one.
  case qed
  /// VMware's, as one sparse file.
  case vmdk
  /// VirtualBox's.
  case vdi
  /// Microsoft's VHD.
  case vpc
  /// Microsoft's VHDX.
  case vhdx

  /// Whether a file of this format can name another one below it.
  var hasBacking: Bool {
    switch self {
    case .qcow2, .qed, .vmdk: true
    case .raw, .vdi, .vpc, .vhdx: false
    }
  }
}
