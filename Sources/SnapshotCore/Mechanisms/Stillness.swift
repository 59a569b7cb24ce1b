internal import Glibc
internal import Libvirt
internal import SystemPackage

/// Whether the files that were read stayed as they were meanwhile.
///
/// QEMU's locks don't see to it: they keep a guest from opening a qcow2 that is read, but not a raw
/// disk, and a torn image would have the right hash.
struct Stillness: Sendable {
  /// What changes with every write.
  private struct Look: Sendable, Equatable {
    let seconds: Int
    let nanoseconds: Int
    let size: Int64
  }

  private let looks: [String: Look]
  /// Whether the server's own files are read, which it must not use meanwhile.
  private let isServerUsed: Bool

  /// Takes a first look.
  ///
  /// - Parameter folder: what lies there is the run's own.
  init(of source: DiskFile, besides folder: String) {
    var looks: [String: Look] = [:]
    for path in source.node.paths where !path.hasPrefix(folder + "/") {
      looks[path] = Stillness.look(at: path)
    }
    self.looks = looks
    isServerUsed = !source.isOwn
  }

  /// Takes a second look.
  ///
  /// - Throws: `unreadableDisk` where something was written, or where the server was started.
  func check(_ context: SnapshotContext) async throws {
    for (path, look) in looks where Stillness.look(at: path) != look {
      throw SnapshotError(
        .unreadableDisk, "\(path) was written to while it was read: the image would be torn",
        remedy: "Find out what writes to it (was \(context.facts.label) started?), then try again")
    }
    guard isServerUsed else { return }
    let state = try await context.domain.state()
    guard state == .shutOff || state == .crashed else {
      throw SnapshotError(
        .unreadableDisk,
        "\(context.facts.label) is \(state): it was started while its disk was read, and the image "
          + "would be torn",
        remedy: "Run this again: a running server can be taken live")
    }
  }

  private static func look(at path: String) -> Look? {
    guard let stat = try? FilePath(path).stat(), stat.type == .regular else { return nil }
    let modified = stat.st_mtim
    return Look(seconds: modified.tv_sec, nanoseconds: modified.tv_nsec, size: stat.size)
  }
}
