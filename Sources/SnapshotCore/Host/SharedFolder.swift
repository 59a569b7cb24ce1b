internal import Foundation
internal import Libvirt
internal import SystemPackage

/// Whether a folder is the same one for the libvirt daemon: a file with a name that nobody can know is
/// put there for a moment, and the daemon is asked whether it finds it. That works over any transport.
enum SharedFolder {
  /// - Parameter folder: it, or if it does not exist yet, where it will be.
  /// - Returns: false also if that can't be found out.
  static func isFound(_ folder: String, by connection: Connection) async throws -> Bool {
    var path = FilePath(folder)
    while FileIdentity(path.string) == nil, path.removeLastComponent() {}
    // Two hosts can share one; sockets and locks in it they do not share.
    guard let system = FileSystem.holding(path.string), system.networkName == nil else {
      return false
    }
    let file = path.appending(".image-create-\(UUID().uuidString)")
    guard
      let descriptor = try? FileDescriptor.open(
        file, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
        permissions: .ownerReadWrite)
    else { return false }
    defer { try? FileManager.default.removeItem(atPath: file.string) }
    // Longer than the header of saved memory, and none.
    try descriptor.closeAfter { _ = try descriptor.writeAll([UInt8](repeating: 0x2e, count: 4096)) }
    return (try? await connection.finds(file: file.string)) == true
  }
}
