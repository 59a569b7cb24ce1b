internal import Libvirt
internal import Logging

/// The disks that other active servers of this host may write to.
struct ActiveDisks: Sendable {
  private struct Disk: Sendable {
    let server: String
    let path: String
    let identity: FileIdentity?
  }

  private let disks: [Disk]

  /// Asks libvirt for them.
  ///
  /// - Parameter uuid: the server that does not count.
  init(besides uuid: String, on connection: Connection) async throws(LibvirtError) {
    var disks: [Disk] = []
    for domain in try await connection.activeDomains() where domain.uuid != uuid {
      // One that has gone has no disk open, and one that is not understood must not stand in the way
      // of all others' snapshots.
      guard let xml = try? await domain.xml(), let description = try? DomainXML.parse(xml) else {
        continue
      }
      for disk in description.disks where !disk.isReadOnly {
        for path in [disk.source.path, disk.mirror?.path].compactMap(\.self) {
          disks.append(Disk(server: domain.name, path: path, identity: FileIdentity(path)))
        }
      }
    }
    self.disks = disks
  }

  /// The name of a server that has a file or device as a disk, under any path.
  func server(using path: String) -> String? {
    let identity = FileIdentity(path)
    return disks.first { $0.path == path || (identity != nil && $0.identity == identity) }?.server
  }
}
