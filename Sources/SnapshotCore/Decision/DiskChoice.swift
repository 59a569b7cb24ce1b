/// Decides which disk is taken.
struct DiskChoice {
  let facts: Facts
  let request: Request

  private var disks: [DiskDescription] {
    facts.domain.disks.filter { $0.device == "disk" && $0.source != .none }
  }

  /// - Returns: the disk, and why.
  /// - Throws: `noDisk`.
  func disk() throws(SnapshotError) -> (DiskDescription, String) {
    guard let wanted = request.disk else { return try root() }
    if let disk = disks.first(where: { $0.target == wanted }) {
      return (disk, "asked for with --disk" + others(disk))
    }
    if wanted == Request.rootDisk {
      let (disk, because) = try root()
      return (disk, "asked for with --disk root: " + because)
    }
    throw SnapshotError(
      .noDisk, "\(facts.label) has no disk '\(wanted)' that could be taken",
      remedy: disks.isEmpty
        ? "Look with `virsh domblklist \(facts.domain.name.shellWord)`"
        : "Name one of these with --disk: \(disks.map(\.target).joined(separator: ", "))")
  }

  /// The writable disks beside the one that is taken, unless the user named that one: whoever names
  /// none may expect all of them.
  func leftOut(_ chosen: DiskDescription) -> [String] {
    guard request.disk == nil else { return [] }
    return disks.filter { !$0.isReadOnly && $0.target != chosen.target }.map(\.target)
  }

  private func root() throws(SnapshotError) -> (DiskDescription, String) {
    // A disk that the guest cannot write to is not a root disk; --disk still takes it.
    let writable = disks.filter { !$0.isReadOnly }
    let bootable = writable.filter { $0.bootOrder != nil }
      .min { ($0.bootOrder ?? 0) < ($1.bootOrder ?? 0) }
    if let disk = bootable {
      return (disk, "first in the boot order" + others(disk))
    }
    guard let disk = writable.first else {
      throw SnapshotError(
        .noDisk, "\(facts.label) has no disk that could be taken",
        remedy:
          "Look with `virsh domblklist \(facts.domain.name.shellWord)`: CD-ROMs, floppies, drives "
          + "without media and read-only disks do not count")
    }
    return (disk, "the first disk" + others(disk))
  }

  private func others(_ chosen: DiskDescription) -> String {
    let rest = facts.domain.disks.filter { $0.target != chosen.target }.map(\.target)
    return rest.isEmpty ? "" : "; not taken: \(rest.joined(separator: ", "))"
  }
}
