/// How a server's disk uses a file.
enum FileUse: Equatable {
  /// The disk is in it: whoever pivots a mirror makes its file the guest's own disk.
  case disk(String)
  /// The disk is based on it, since a snapshot was taken of it.
  case backing(ofDisk: String)
  /// The disk is being copied into it.
  case mirror(ofDisk: String)

  /// The first use of a file, or of one in this folder, by a server.
  init?(of path: String, by domain: DomainDescription) {
    func isIt(_ other: String?) -> Bool {
      other.map { $0 == path || $0.hasPrefix(path + "/") } ?? false
    }
    for disk in domain.disks {
      if isIt(disk.source.path) {
        self = .disk(disk.target)
        return
      }
      var below = disk.backing.map(\.path)
      if disk.format == "qcow2", let top = disk.source.path {
        below += BackingFiles.names(below: top)
      }
      if below.contains(where: isIt) {
        self = .backing(ofDisk: disk.target)
        return
      }
      if isIt(disk.mirror?.path) {
        self = .mirror(ofDisk: disk.target)
        return
      }
    }
    return nil
  }

  /// Why the file is not removed, and what to do.
  func refusal(of path: String, for server: ServerIdentity) -> SnapshotError {
    let name = server.name.shellWord
    let virsh = "virsh -c \(server.uri.shellWord)"
    let recover = "then run `image-create --recover \(name)`"
    let reason: String
    let remedy: String
    switch self {
    case .disk(let disk):
      reason =
        "disk '\(disk)' of server '\(server.name)' is there now, since someone pivoted the mirror"
      remedy =
        "Copy it to where it shall be, before the server's next start: `\(virsh) blockcopy \(name) "
        + "\(disk.shellWord) FILE --transient-job --wait --pivot`, \(recover)"
    case .backing(let disk):
      reason =
        "disk '\(disk)' of server '\(server.name)' is based on a file there, since someone pivoted "
        + "the mirror and took a snapshot"
      remedy =
        "Merge the file into the disk while the server runs: `\(virsh) blockpull \(name) "
        + "\(disk.shellWord) --wait`, \(recover)"
    case .mirror(let disk):
      reason = "disk '\(disk)' of server '\(server.name)' is still being copied there"
      remedy = "End the copy: `\(virsh) blockjob \(name) \(disk.shellWord) --abort`, \(recover)"
    }
    return SnapshotError(.diskInUse, reason, remedy: remedy)
  }
}
