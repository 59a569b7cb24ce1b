internal import Libvirt

/// Compares the disk that the plan was made for with the one that is there when its point in time is
/// fixed: in between lie calls of the image service, and a snapshot, a commit or an edit can land
/// there.
///
/// To be made when nothing of that kind is possible any more: with the job begun, the guest saved, or
/// right before an offline read.
struct DiskComparison {
  let context: SnapshotContext

  private var disk: DiskDescription { context.plan.disk }

  /// Compares where the disk is, in which format, and how large the running QEMU says that it is.
  ///
  /// - Returns: the disk as it is now.
  /// - Throws: `diskChanged`.
  @discardableResult
  func checkSource() async throws -> DiskDescription {
    let disks = try await FactsReader.disks(of: context.domain)
    guard let now = disks.first(where: { $0.target == disk.target }) else {
      throw changed("it no longer exists")
    }
    if now.source != disk.source {
      throw changed("it was \(disk.source) and is \(now.source) now")
    }
    if now.format != disk.format {
      throw changed("its format was \(disk.format) and is \(now.format) now")
    }
    if context.plan.mechanism.isLive {
      let size = try await context.domain.capacity(ofDisk: disk.target)
      if size != context.plan.virtualSize {
        throw changed("it had \(context.plan.virtualSize) bytes and has \(size) now")
      }
    }
    return now
  }

  /// Compares the source, then every layer with what its header says now.
  ///
  /// - Throws: `diskChanged`; `unreadableDisk` if a layer cannot or must not be opened any more.
  func checkLayers() async throws {
    let now = try await ChainReader(qemuImg: context.qemuImg).read(try await checkSource())
    let (old, new) = (context.chain.map(Identity.init), now.map(Identity.init))
    if old != new {
      throw changed("it consisted of \(list(old)) and consists of \(list(new)) now")
    }
    // What a running QEMU grows is compared with QEMU's own words.
    if !context.plan.mechanism.isLive, let size = now.first?.virtualSize,
      size != context.plan.virtualSize
    {
      throw changed("it had \(context.plan.virtualSize) bytes and has \(size) now")
    }
  }

  /// What must not change of a layer.
  private struct Identity: Equatable, CustomStringConvertible {
    let path: String
    let format: StorageFormat
    let isBlockDevice: Bool

    init(_ layer: ImageLayer) {
      path = layer.path
      format = layer.format
      isBlockDevice = layer.isBlockDevice
    }

    var description: String { "\(format) \(path)" }
  }

  private func list(_ layers: [Identity]) -> String {
    layers.map(\.description).joined(separator: " over ")
  }

  private func changed(_ how: String) -> SnapshotError {
    SnapshotError(
      .diskChanged,
      "disk '\(disk.target)' of \(context.facts.label) was changed while the snapshot was "
        + "prepared: \(how)",
      remedy: "Run the command again")
  }
}
