internal import Foundation
internal import Libvirt

/// Recognizes that QEMU does not see the run's folder, although we and the daemon do.
///
/// A running QEMU has mounts of its own: what was mounted on this host after its start may be missing
/// there, and all that QEMU says is "No such file or directory".
enum HiddenMount {
  /// Says so, if that is what a call failed for; otherwise gives the error as it is.
  static func explain(_ error: LibvirtError, in context: SnapshotContext) -> any Error {
    let folder = context.workspace.folder
    guard error.message.contains("No such file or directory"), error.message.contains(folder),
      FileManager.default.fileExists(atPath: folder)
    else { return error }
    return SnapshotError(
      .spoolFailed,
      "QEMU of \(context.facts.label) does not see \(folder): the file system of the spool folder "
        + "was probably mounted after the server was started",
      remedy: "Name a folder on another file system with --spool-dir, or restart the server",
      cause: error)
  }
}
