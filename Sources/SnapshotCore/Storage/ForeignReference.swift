internal import Foundation

/// What the first bytes of an image make QEMU open besides the image, and that no option prevents.
///
/// Looked at before a program of QEMU's opens the file: `qemu-img info` would follow it already.
enum ForeignReference {
  /// How much of a file is enough.
  static let length = 1 << 16

  /// Says what the header refers to, as the end of a sentence about the file; nil if it is nothing.
  static func find(in header: Data, format: StorageFormat) -> String? {
    switch format {
    case .qcow2: dataFile(of: header)
    case .vmdk: extents(of: header)
    case .raw, .qed, .vdi, .vpc, .vhdx: nil
    }
  }

  /// qcow2, incompatible feature bit 2 (QEMU, docs/interop/qcow2.txt).
  private static func dataFile(of header: Data) -> String? {
    guard header.starts(with: [0x51, 0x46, 0x49, 0xFB]),
      let version = number(4, at: 4, of: header), version >= 3,
      let features = number(8, at: 72, of: header), features & 4 != 0
    else { return nil }
    var offset = Int(number(4, at: 100, of: header) ?? 0)
    while let kind = number(4, at: offset, of: header),
      let length = number(4, at: offset + 4, of: header), kind != 0
    {
      let start = offset + 8
      let end = start + Int(length)
      if kind == 0x4441_5441, end <= header.count {
        let name = String(decoding: header.dropFirst(start).prefix(Int(length)), as: UTF8.self)
        return "names the external data file \(name), which is not opened for it"
      }
      offset = start + (Int(length) + 7) / 8 * 8
    }
    return "has an external data file, which is not opened for it"
  }

  /// Only a sparse extent that says its own size is one file. A descriptor names files, and so does
  /// one that a sparse header of capacity 0 contains (QEMU, block/vmdk.c).
  private static func extents(of header: Data) -> String? {
    let isSparse = header.starts(with: Data("KDMV".utf8)) && header.count >= 512
    // Little endian, and all that matters is whether it is zero.
    if isSparse, number(8, at: 12, of: header) ?? 0 != 0 { return nil }
    return
      "is not a single sparse VMDK file: it can name other files as its extents, which are not "
      + "opened for it"
  }

  /// A big-endian number.
  private static func number(_ count: Int, at offset: Int, of data: Data) -> UInt64? {
    guard offset >= 0, offset + count <= data.count else { return nil }
    return data.dropFirst(offset).prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
  }
}
