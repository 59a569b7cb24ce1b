internal import Foundation
internal import Libvirt
internal import SnapshotCore

/// The folders of this host and user.
struct Places {
  let environment: [String: String]
  var isRoot = getuid() == 0

  /// `/var/lib/image-create` for root, the XDG folders otherwise.
  func workspace(spoolDir: String?) -> Workspace.Place {
    Workspace.Place(
      spoolFolder: spoolDir.map(absolute)
        ?? (isRoot
          ? Places.rootFolder + "/spool"
          : xdg("XDG_CACHE_HOME", or: ".cache") + "/image-create/spool"),
      stateFolder: ownFolder + (isRoot ? "/state" : ""))
  }

  /// Where the journals of running snapshots are.
  var journalFolder: String { ownFolder + "/journal" }

  /// Where the locks of this user's runs are.
  var lockFolder: String { ownFolder + "/locks" }

  /// The locks of this user's runs, and of root's as far as this user may.
  ///
  /// - Parameter isRehearsal: whether they are only looked at.
  func locks(
    isRehearsal: Bool = false, notice: @escaping @Sendable (String) -> Void
  ) throws(SnapshotError) -> HostLocks {
    try HostLocks(
      folder: lockFolder, shared: isRoot ? nil : Places.rootFolder + "/locks",
      group: isRoot ? HostUsers.group(named: "libvirt") : nil, isRehearsal: isRehearsal,
      notice: notice)
  }

  private static let rootFolder = "/var/lib/image-create"

  private var ownFolder: String {
    isRoot ? Places.rootFolder : xdg("XDG_STATE_HOME", or: ".local/state") + "/image-create"
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
