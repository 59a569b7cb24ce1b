/// A disk format of an image: Glance's name, and QEMU's.
public struct ImageFormat: Hashable, Sendable, CustomStringConvertible {
  /// Glance's `disk_format`: `raw`, `qcow2`, `vmdk`, `vdi`, `vhd`, `vhdx`.
  public let name: String
  /// QEMU's driver for it.
  let driver: StorageFormat
  /// What `qemu-img convert -o` must be told, so that Glance's format inspector and a comparison
  /// with the disk both agree.
  let creationOptions: String?

  /// The raw format.
  public static let raw = ImageFormat(name: "raw", driver: .raw, creationOptions: nil)
  /// qcow2, version 3.
  public static let qcow2 = ImageFormat(
    name: "qcow2", driver: .qcow2, creationOptions: "compat=1.1")
  /// Every format, in the order help lists them.
  public static let all: [ImageFormat] = [
    .raw, .qcow2,
    ImageFormat(name: "vmdk", driver: .vmdk, creationOptions: "subformat=monolithicSparse"),
    ImageFormat(name: "vdi", driver: .vdi, creationOptions: nil),
    // Without force_size QEMU rounds the size up to what cylinders, heads and sectors can say.
    ImageFormat(name: "vhd", driver: .vpc, creationOptions: "force_size=on"),
    ImageFormat(name: "vhdx", driver: .vhdx, creationOptions: nil),
  ]

  /// The format with Glance's name.
  public init?(name: String) {
    guard let known = ImageFormat.all.first(where: { $0.name == name }) else { return nil }
    self = known
  }

  /// The format that QEMU knows by this name, where an image can have it.
  init?(driver: String) {
    guard let known = ImageFormat.all.first(where: { $0.driver.rawValue == driver }) else {
      return nil
    }
    self = known
  }

  private init(name: String, driver: StorageFormat, creationOptions: String?) {
    self.name = name
    self.driver = driver
    self.creationOptions = creationOptions
  }

  /// The encoder that makes it while the disk is read, where there is one.
  var streamed: EncodedDisk.Format? {
    switch self {
    case .raw: .raw
    case .qcow2: .qcow2
    default: nil
    }
  }

  /// Glance's name.
  public var description: String { name }
}
