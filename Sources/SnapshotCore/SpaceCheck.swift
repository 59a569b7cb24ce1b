internal import Foundation

/// Whether the spool folder takes the worst case, looked at before anything is touched.
struct SpaceCheck: Sendable {
  let facts: Facts
  let plan: Plan
  let place: Workspace.Place
  let qemuImg: QemuImg

  /// - Returns: how many bytes of data there are to read, about.
  /// - Throws: `noSpace` with the needed and the free bytes; `unreadableDisk`.
  func run() async throws(SnapshotError) -> UInt64 {
    let (needed, data) = try await neededBytes()
    guard needed > 0, let free = Workspace.freeBytes(in: place.spoolFolder), free < needed else {
      return data
    }
    throw SnapshotError(
      .noSpace,
      "the spool folder \(place.spoolFolder) has \(free) bytes free and \(needed) are "
        + "needed for disk '\(plan.disk.target)' of \(facts.label)",
      remedy: "Free some space there, or name another folder with --spool-dir")
  }

  private func neededBytes() async throws(SnapshotError) -> (spool: UInt64, data: UInt64) {
    // `qemu-img` is not asked about a network disk, nor about a file that may be another's.
    guard let path = plan.disk.source.path,
      facts.disks[plan.disk.target]?.unprovenFiles == nil
    else { return (0, plan.virtualSize) }
    let chain = facts.disks[plan.disk.target]?.chain ?? []
    let top = chain.first?.allocatedSize ?? 0
    let isSpooled = plan.delivery == .spool
    guard isSpooled || plan.mechanism == .backup || plan.downtime == .untilCloned else {
      let allocated = chain.reduce(0) { $0 + $1.allocatedSize }
      return (pointInTime(top: top, flat: 0), min(allocated, plan.virtualSize))
    }
    let flat = try await qemuImg.dataSize(path, format: plan.disk.format)
    return (pointInTime(top: top, flat: flat) + (isSpooled ? flat : 0), flat)
  }

  /// - Parameters:
  ///   - top: what the disk's own file takes, in bytes.
  ///   - flat: what a flat image of the disk takes, in bytes.
  private func pointInTime(top: UInt64, flat: UInt64) -> UInt64 {
    switch plan.mechanism {
    // The scratch file holds at most what the guest overwrites of the disk's data.
    case .backup: flat + BackupWatch.reserve
    // The delta holds what the disk's own file holds.
    case .copy, .rebase: max(top, 1 << 20)
    // The clone takes nothing until the guest has overwritten everything; where it turns out not to
    // be possible, a flat file takes its place.
    case .managedSave: plan.downtime == .untilCloned ? max(top, flat) : 0
    case .offline: 0
    }
  }
}
