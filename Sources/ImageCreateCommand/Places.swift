internal import Foundation
internal import SnapshotCore

/// The folders of this host and user.
struct Places {
  let environment: [String: String]
  var isRoot = getuid() == 0

  /// `/var/lib/image-create` for root, the XDG folders otherwise.
  func workspace(spoolDir: String?) -> Workspace.Place {
    let base = isRoot ? "/var/lib/image-create" : nil
    return Workspace.Place(
      spoolFolder: spoolDir.map(absolute) ?? base.map { $0 + "/spool" }
        ?? xdg("XDG_CACHE_HOME", or: ".cache") + "/image-create/spool",
      stateFolder: base.map { $0 + "/state" }
        ?? xdg("XDG_STATE_HOME", or: ".local/state") + "/image-create")
  }

  /// Where the journals of running snapshots are.
  var journalFolder: String {
    (isRoot ? "/var/lib/image-create" : xdg("XDG_STATE_HOME", or: ".local/state") + "/image-create")
      + "/journal"
  }

  /// Where the locks are: in a place that every user of the host has, if there is one.
  var lockFolder: String {
    let shared = "/run/lock"
    let files = FileManager.default
    if isRoot || files.fileExists(atPath: shared + "/image-create")
      || files.isWritableFile(atPath: shared)
    {
      return shared + "/image-create"
    }
    return xdg("XDG_STATE_HOME", or: ".local/state") + "/image-create/locks"
  }

  /// libvirt and QEMU have another working folder than we.
  private func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
  }

  private func xdg(_ variable: String, or folder: String) -> String {
    if let path = environment[variable], path.hasPrefix("/") { return path }
    return (environment["HOME"] ?? NSHomeDirectory()) + "/" + folder
  }
}
