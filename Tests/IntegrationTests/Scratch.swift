import Foundation
import Testing

/// Folders for one test, removed after it.
enum Scratch {
  static func folder(_ body: (String) async throws -> Void) async throws {
    let folder = "/var/tmp/image-create-test-\(UUID().uuidString)"
    try create(folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
  }

  /// A file system of its own, in memory.
  static func fileSystem(mebibytes: Int, _ body: (String) async throws -> Void) async throws {
    try await folder { folder in
      try await Lab.must(
        "mount", "-t", "tmpfs", "-o", "size=\(mebibytes)m,mode=0711", "tmpfs", folder)
      try await unmounting(folder, body)
    }
  }

  /// Takes the room of a file system with a file `full`, but for so many MiB.
  static func fill(_ folder: String, leaving mebibytes: Int) async throws {
    let free = try await Lab.must("df", "--output=avail", "--block-size=1M", folder)
    let count = try #require(
      free.split(separator: "\n").last.flatMap { Int($0.filter(\.isNumber)) })
    try await Lab.must("fallocate", "-l", "\(count - mebibytes)MiB", folder + "/full")
  }

  /// A file system of its own that has reflinks.
  static func reflinks(mebibytes: Int, _ body: (String) async throws -> Void) async throws {
    try await folder { folder in
      let (file, mounted) = (folder + "/xfs", folder + "/mounted")
      try create(mounted)
      try await Lab.must("truncate", "-s", "\(mebibytes)M", file)
      try await Lab.must("mkfs.xfs", "-q", "-m", "reflink=1", file)
      try await Lab.must("mount", "-o", "loop", file, mounted)
      try await unmounting(mounted, body)
    }
  }

  /// QEMU must get in, whatever umask a test of the program itself has left in this process.
  private static func create(_ folder: String) throws {
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
  }

  private static func unmounting(_ folder: String, _ body: (String) async throws -> Void)
    async throws
  {
    do {
      try await body(folder)
    } catch {
      _ = try await Lab.run("umount", ["-l", folder])
      throw error
    }
    try await Lab.must("umount", "-l", folder)
  }
}
