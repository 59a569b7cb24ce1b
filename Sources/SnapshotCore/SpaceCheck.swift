internal import Foundation
internal import Libvirt

/// Whether there is room for what a run must write, looked at before anything is touched.
struct SpaceCheck: Sendable {
  let facts: Facts
  let plan: Plan
  let place: Workspace.Place
  let qemuImg: QemuImg

  /// What is written where.
  struct Need: Sendable, Equatable {
    let folder: String
    let bytes: UInt64
    /// What the folder is called in messages.
    let name: String
    /// What needs the room.
    let purpose: String
    let remedy: String
  }

  /// - Returns: how many bytes of data there are to read, about.
  /// - Throws: `noSpace` with the needed and the free bytes; `unreadableDisk`.
  func run() async throws(SnapshotError) -> UInt64 {
    let data = try await dataSize()
    let needs = needs(data: data, saveFolder: SaveFolder.path(of: facts))
    for need in needs {
      guard let target = FileSystem.holding(need.folder) else { continue }
      // Folders of one file system share its room.
      let needed = needs.filter { FileSystem.holding($0.folder)?.id == target.id }
        .reduce(0) { $0 + $1.bytes }
      guard target.freeBytes < needed else { continue }
      throw SnapshotError(
        .noSpace,
        "\(need.name) \(need.folder) has \(target.freeBytes) bytes free and \(needed) are needed "
          + "for \(need.purpose)", remedy: need.remedy)
    }
    return data
  }

  /// How many bytes of data a flat image of the disk has, about.
  private func dataSize() async throws(SnapshotError) -> UInt64 {
    // Of a disk that is not a file of this host, or whose files we must not open, nobody is asked.
    guard let node = StorageNode(chain: chain) else { return plan.virtualSize }
    guard plan.delivery == .spool || plan.mechanism == .backup || plan.downtime == .untilCloned
    else { return min(chain.reduce(0) { $0 + $1.allocatedSize }, plan.virtualSize) }
    do {
      return try await qemuImg.dataSize(node)
    } catch {
      // A running QEMU can read what we cannot.
      guard plan.mechanism == .backup, error.code == .programFailed else { throw error }
      return plan.virtualSize
    }
  }

  private var chain: [ImageLayer] { facts.disks[plan.disk.target]?.chain ?? [] }

  /// What must be free.
  ///
  /// - Parameters:
  ///   - data: what a flat image of the disk takes, in bytes.
  ///   - saveFolder: where libvirt saves a guest's memory, if that is known.
  func needs(data: UInt64, saveFolder: String?) -> [Need] {
    let spool = pointInTime(data) + (plan.delivery == .spool ? data : 0)
    var needs: [Need] = []
    if spool > 0 {
      needs.append(
        Need(
          folder: place.spoolFolder, bytes: spool, name: "the spool folder",
          purpose: "disk '\(plan.disk.target)' of \(facts.label)",
          remedy: "Free some space there, or name another folder with --spool-dir"))
    }
    if plan.mechanism == .managedSave, let saveFolder, let memory = facts.domain.memory {
      needs.append(
        Need(
          folder: saveFolder, bytes: memory, name: "libvirt's folder for saved guests",
          purpose: "the memory of \(facts.label)",
          remedy: "Free some space there, or shut the server down first"))
    }
    return needs
  }

  private func pointInTime(_ data: UInt64) -> UInt64 {
    let top = chain.first?.allocatedSize ?? 0
    return switch plan.mechanism {
    // How much the guest will overwrite nobody knows; the job is ended before the room is.
    case .backup: BackupWatch.reserve
    // The delta holds what the disk's own file holds.
    case .copy, .rebase: max(top, 1 << 20)
    // The clone takes nothing until the guest has overwritten everything; if it turns out not to be
    // possible, a flat file takes its place.
    case .managedSave: plan.downtime == .untilCloned ? max(top, data) : 0
    case .offline: 0
    }
  }
}
