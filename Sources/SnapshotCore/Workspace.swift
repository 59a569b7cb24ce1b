internal import Foundation
internal import SystemPackage

/// The folder of one run in the spool folder, with two folders in it: one that only we can enter, and
/// one that the user QEMU runs as reaches.
///
/// Only root and this user can write in the run's folder itself: whoever has taken QEMU over, or is a
/// member of its group, must not be able to put a link where we create a file.
public struct Workspace: Sendable {
  /// The run's own folder.
  let folder: String
  /// Where definitions are kept that must outlive the run's folder.
  private let stateFolder: String
  let owner: DomainDescription.Owner?

  /// What only we reach: the image, the clone of a disk, sockets and logs of our programs.
  private static let ownFolder = "own"
  /// What QEMU's user reaches, and may be allowed to write to.
  static let qemuFolder = "qemu"

  /// Where to put files.
  public struct Place: Sendable {
    /// The spool folder: large files.
    public let spoolFolder: String
    /// The state folder: small files that must not be lost.
    public let stateFolder: String

    /// Names the folders.
    public init(spoolFolder: String, stateFolder: String) {
      self.spoolFolder = spoolFolder
      self.stateFolder = stateFolder
    }
  }

  /// Creates the spool and the state folder where they are missing.
  ///
  /// - Throws: what ``check(_:owner:)`` throws, before either is created.
  static func prepare(_ place: Place, owner: DomainDescription.Owner?) throws(SnapshotError) {
    try check(place, owner: owner)
    // QEMU's user passes through the spool folder and must not be able to list it.
    try makeFolder(place.spoolFolder, mode: 0o711)
    try makeFolder(place.stateFolder, mode: 0o700)
    // Once more: in /tmp somebody may have been faster than we were.
    try check(place, owner: owner)
  }

  /// Checks that nobody else can change the way to both folders, that QEMU's user can pass through,
  /// and that they can be used or created. Touches nothing.
  ///
  /// - Throws: `spoolFailed`.
  static func check(_ place: Place, owner: DomainDescription.Owner?) throws(SnapshotError) {
    _ = try TrustedFolders(on: place.stateFolder, for: .state)
    let way = try TrustedFolders(on: place.spoolFolder).folders
    for path in [place.spoolFolder, place.stateFolder] {
      if let obstacle = FolderRehearsal.obstacle(to: path) {
        throw SnapshotError(
          .spoolFailed, "the folder \(path) cannot be used: \(obstacle.reason)",
          remedy: path == place.spoolFolder
            ? "Name another folder with --spool-dir"
            : "Correct that, or run this as a user who may write there", cause: obstacle.error)
      }
    }
    guard let owner, getuid() == 0 else { return }
    for path in way {
      guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue,
        let user = (attributes[.ownerAccountID] as? NSNumber)?.intValue,
        let group = (attributes[.groupOwnerAccountID] as? NSNumber)?.intValue
      else { continue }
      let bit = user == owner.user ? 0o100 : group == owner.group ? 0o010 : 0o001
      guard owner.user == 0 || mode & bit != 0 else {
        throw SnapshotError(
          .spoolFailed,
          "QEMU's user \(owner.user) can't enter \(path), and the spool folder "
            + "\(place.spoolFolder) lies there",
          remedy: "Name another folder with --spool-dir, or: `chmod o+x '\(path)'`")
      }
    }
  }

  /// Refuses a spool folder whose path leaves no room for a socket's.
  static func checkSocketPath(in place: Place) throws(SnapshotError) {
    // `sun_path` of `sockaddr_un`, less the closing zero.
    let room = 107 - "/01234567/\(qemuFolder)/disk.sock".utf8.count
    guard place.spoolFolder.utf8.count <= room else {
      throw SnapshotError(
        .spoolFailed,
        "the spool folder \(place.spoolFolder) has a path of \(place.spoolFolder.utf8.count) bytes, "
          + "and a socket in it can have one of \(room) at most",
        remedy: "Name a folder with a shorter path with --spool-dir")
    }
  }

  /// The path of a run's folder that does not exist yet. Short, for the sake of sockets in it.
  static func newFolder(in place: Place) -> String {
    while true {
      let folder = place.spoolFolder + "/" + UUID().uuidString.lowercased().prefix(8)
      // Another run's must not be taken for ours, and removed.
      if !FileManager.default.fileExists(atPath: folder) { return folder }
    }
  }

  /// Creates the run's folders. Nothing else of the run may exist yet.
  init(_ folder: String, in place: Place, owner: DomainDescription.Owner?) throws(SnapshotError) {
    self.folder = folder
    stateFolder = place.stateFolder
    self.owner = owner
    do {
      for path in ["", "/" + Workspace.ownFolder, "/" + Workspace.qemuFolder].map({ folder + $0 }) {
        try FileManager.default.createDirectory(
          atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
      }
      if let owner, getuid() == 0 {
        for path in [folder, folder + "/" + Workspace.qemuFolder] {
          try FileManager.default.setAttributes(
            [.groupOwnerAccountID: owner.group, .posixPermissions: 0o710], ofItemAtPath: path)
        }
      }
    } catch {
      throw SnapshotError(
        .spoolFailed, "the folder \(folder) could not be created: \(error.tidy)",
        remedy: "Name another folder with --spool-dir", cause: error)
    }
  }

  /// The path of a file that only we reach.
  func path(_ name: String) -> String { folder + "/" + Workspace.ownFolder + "/" + name }

  /// Where a server's definition is kept while it has none.
  func definitionPath(of uuid: String) -> String { stateFolder + "/\(uuid).xml" }

  /// Writes a server's secure XML where it survives a crash; synced before this returns.
  func saveDefinition(_ xml: String, to path: String) throws(SnapshotError) {
    do {
      let file = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate],
        permissions: .ownerReadWrite)
      try file.closeAfter {
        _ = try file.writeAll(xml.utf8)
        try FileHandle(fileDescriptor: file.rawValue).synchronize()
      }
      let directory = try FileDescriptor.open(FilePath(stateFolder), .readOnly)
      try directory.closeAfter {
        try FileHandle(fileDescriptor: directory.rawValue).synchronize()
      }
    } catch {
      throw SnapshotError(
        .spoolFailed, "the definition of the server could not be saved to \(path): \(error.tidy)",
        remedy: "Make the folder \(stateFolder) writable, or use another mechanism", cause: error)
    }
  }

  /// The bytes that may still be written in the spool folder.
  ///
  /// - Parameter folder: it, or if it does not exist yet, where it will be.
  static func freeBytes(in folder: String) -> UInt64? { FileSystem.holding(folder)?.freeBytes }

  private static func makeFolder(_ path: String, mode: Int) throws(SnapshotError) {
    // Through links: those on the way were looked at.
    if let stat = try? FilePath(path).stat() {
      guard stat.type == .directory else {
        throw SnapshotError(
          .spoolFailed, "\(path) is not a directory", remedy: "Name another folder with --spool-dir"
        )
      }
      return
    }
    let parent = FilePath(path).removingLastComponent()
    if !parent.isEmpty, parent.string != path { try makeFolder(parent.string, mode: 0o711) }
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: mode])
    } catch {
      throw SnapshotError(
        .spoolFailed, "the folder \(path) could not be created: \(error.tidy)",
        remedy: "Name another folder with --spool-dir", cause: error)
    }
  }
}

extension Error {
  /// What the system said, without Foundation's wrapping.
  var tidy: String {
    let error = self as NSError
    if let inner = error.userInfo[NSUnderlyingErrorKey] as? NSError {
      return inner.localizedFailureReason ?? inner.localizedDescription
    }
    return (self as? Errno)?.description ?? error.localizedFailureReason
      ?? error.localizedDescription
  }
}
