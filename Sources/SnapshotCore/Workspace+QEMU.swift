internal import Foundation
internal import SystemPackage

extension Workspace {
  /// The path of a file that the user QEMU runs as reaches.
  func pathForQEMU(_ name: String) -> String { Workspace.pathForQEMU(name, in: folder) }

  /// The same in the folder of any run.
  static func pathForQEMU(_ name: String, in folder: String) -> String {
    folder + "/" + qemuFolder + "/" + name
  }

  /// Lets QEMU's user create its socket and scratch file in its folder; it still cannot list it.
  func letOwnerCreateFiles() throws(SnapshotError) {
    guard owner != nil, getuid() == 0 else { return }
    let path = folder + "/" + Workspace.qemuFolder
    do {
      // Sticky: other members of QEMU's group cannot replace what it has created.
      try FileManager.default.setAttributes([.posixPermissions: 0o1730], ofItemAtPath: path)
    } catch {
      throw SnapshotError(
        .spoolFailed, "the folder \(path) could not be opened to QEMU's user: \(error.tidy)",
        remedy: "Name another folder with --spool-dir", cause: error)
    }
  }

  /// Gives a file that we have created to QEMU's user, and moves it to QEMU's folder.
  ///
  /// In this order: the owner is changed by name, which is safe only if nobody else can put a link
  /// there.
  func handOver(_ file: String, to path: String) throws(SnapshotError) {
    do {
      if let owner, getuid() == 0 {
        try FileManager.default.setAttributes(
          [.ownerAccountID: owner.user, .groupOwnerAccountID: owner.group], ofItemAtPath: file)
        // A backup that was refused has opened it. QEMU creates nothing for a mirror, and what it
        // could put in the delta's place would be opened by name.
        try FileManager.default.setAttributes(
          [.posixPermissions: 0o710], ofItemAtPath: folder + "/" + Workspace.qemuFolder)
      }
      try FileManager.default.moveItem(atPath: file, toPath: path)
    } catch {
      throw SnapshotError(
        .spoolFailed, "\(file) could not be given to QEMU's user: \(error.tidy)",
        remedy: "Name another folder with --spool-dir", cause: error)
    }
  }

  /// Removes a file of a run, or its folder with everything in it.
  ///
  /// What QEMU's user can write to is not walked through by name, which somebody could turn into a
  /// way out of it: first nobody else can change it any more, then only what is not a directory goes.
  static func remove(_ path: String) throws {
    let files = FileManager.default
    let shared = path + "/" + qemuFolder
    if (try? FilePath(shared).stat(followTargetSymlink: false))?.type == .directory {
      try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: shared)
      for name in try files.contentsOfDirectory(atPath: shared) {
        let entry = shared + "/" + name
        guard try FilePath(entry).stat(followTargetSymlink: false).type != .directory else {
          throw SnapshotError(
            .notRestored, "somebody has created the directory \(entry)",
            remedy: "Find out who uses QEMU's account, then remove \(path)")
        }
        try files.removeItem(atPath: entry)
      }
    }
    try files.removeItem(atPath: path)
  }
}
