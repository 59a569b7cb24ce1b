internal import Foundation
internal import Libvirt
internal import SystemPackage

/// Reads what a disk consists of on this host, layer by layer.
///
/// A format is never probed: a guest can write any header into a raw disk. And a file is opened by a
/// program of QEMU's only after its header was looked at here.
struct ChainReader: Sendable {
  let qemuImg: QemuImg

  /// Reads the layers from the disk down, each with the format that the layer above it states.
  ///
  /// - Parameter obstacle: asked before each file is opened why it must not be; nil if it may.
  /// - Returns: top first; empty if the disk is not a file or block device, or is encrypted.
  /// - Throws: `unreadableDisk`, naming the file and why it cannot or must not be opened.
  func read(
    _ disk: DiskDescription, obstacle: (String) async -> String? = { _ in nil }
  ) async throws(SnapshotError) -> [ImageLayer] {
    guard var path = disk.source.path, disk.encryption == nil else { return [] }
    var format = disk.format
    var layers: [ImageLayer] = []
    while true {
      // QEMU takes `json:…` and `nbd:…` for something else than a file.
      guard path.hasPrefix("/") else {
        throw SnapshotError(
          .unreadableDisk,
          "disk '\(disk.target)' uses '\(path)', which is not a file on this host",
          remedy: "Flatten the disk first, with `virsh blockpull` or `qemu-img rebase`")
      }
      if let reason = await obstacle(path) {
        throw SnapshotError(
          .unreadableDisk, reason, remedy: HostProof.remedy)
      }
      let info = try await inspect(path, format: format)
      layers.append(info.layer)
      guard let backing = info.backing else { return layers }
      guard !layers.contains(where: { $0.path == backing.path }) else {
        throw SnapshotError(
          .unreadableDisk,
          "the backing chain of disk '\(disk.target)' leads back to \(backing.path)",
          remedy: "Repair the chain with `qemu-img rebase`")
      }
      let stated = disk.backing.first { $0.path == backing.path }?.format
      guard let next = backing.format ?? stated else {
        throw SnapshotError(
          .unreadableDisk,
          "\(path) does not say which format its backing file \(backing.path) has",
          remedy: "State it: `qemu-img rebase -u -f \(format) -b \(backing.path.shellWord) "
            + "-F FORMAT \(path.shellWord)`")
      }
      path = backing.path
      format = next
    }
  }

  /// Describes one file or block device without opening anything that it refers to.
  func inspect(_ path: String, format: String) async throws(SnapshotError) -> QemuImg.Info {
    guard let known = StorageFormat(rawValue: format) else {
      throw SnapshotError(
        .unreadableDisk, "\(path) has the format \(format), which is not supported",
        remedy: "Convert it to raw or qcow2 first")
    }
    let isBlockDevice = try await BlockingCall.run { () throws(SnapshotError) in
      try ChainReader.look(at: path, format: known)
    }
    return try await qemuImg.info(
      StorageNode(isBlockDevice ? .blockDevice(path) : .file(path), format: known))
  }

  /// Looks at a file before a program of QEMU's opens it.
  ///
  /// - Returns: whether it is a block device.
  private static func look(at path: String, format: StorageFormat) throws(SnapshotError) -> Bool {
    let isBlockDevice: Bool
    let header: Data
    do throws(any Error) {
      let type = try FilePath(path).stat().type
      guard type == .regular || type == .blockSpecial else {
        throw SnapshotError(
          .unreadableDisk, "\(path) is neither a regular file nor a block device",
          remedy: "Check the disk's source and its backing files")
      }
      isBlockDevice = type == .blockSpecial
      let file = try FileDescriptor.open(
        FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
      header = try file.closeAfter {
        try FileHandle(fileDescriptor: file.rawValue).read(upToCount: ForeignReference.length)
          ?? Data()
      }
    } catch let error as SnapshotError {
      throw error
    } catch {
      throw SnapshotError(
        .unreadableDisk, "\(path) could not be read as \(format): \(error.tidy)",
        remedy: "Check that the file is there, that you may read it, and that the domain XML "
          + "states its format", cause: error)
    }
    if let reference = ForeignReference.find(in: header, format: format) {
      throw SnapshotError(
        .unreadableDisk, "\(path) \(reference)",
        remedy: "Convert it to one flat qcow2 or raw file first")
    }
    return isBlockDevice
  }
}
