internal import Foundation

/// The names of the files below a qcow2 file, as the headers say them.
///
/// libvirt names them only while the guest runs. A header may say anything: it is enough to leave a
/// file alone, never to open or to remove one for a run.
enum BackingFiles {
  private static let deepest = 64

  static func names(below path: String) -> [String] {
    var found: [String] = []
    var here = path
    while found.count < deepest, let next = name(in: here), !found.contains(next) {
      found.append(next)
      here = next
    }
    return found
  }

  /// The backing file that one header names, with its folder.
  private static func name(in path: String) -> String? {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard let header = try? file.read(upToCount: 20), header.count == 20,
      header.prefix(4) == Data([0x51, 0x46, 0x49, 0xFB])
    else { return nil }
    let offset = number(header[8..<16])
    let length = number(header[16..<20])
    // The format's own limit is 1023.
    guard offset > 0, offset <= 1 << 32, 1...1023 ~= length,
      (try? file.seek(toOffset: offset)) != nil,
      let text = try? file.read(upToCount: Int(length)), text.count == Int(length)
    else { return nil }
    let name = String(decoding: text, as: UTF8.self)
    if name.hasPrefix("/") { return name }
    return (path as NSString).deletingLastPathComponent + "/" + name
  }

  private static func number(_ bytes: Data) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
