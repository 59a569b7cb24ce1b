import Foundation
import QemuTools
import Testing

@testable import SnapshotCore

/// Real folders of the user who runs the tests, judged as if he were that user, or another one.
@Suite struct TrustedFoldersTests {
  private static let stranger: UInt32 = 4711

  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
  }

  private func make(_ name: String, mode: Int = 0o755) throws -> String {
    let path = folder.file(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    return path
  }

  private func link(_ name: String, to target: String) throws -> String {
    try FileManager.default.createSymbolicLink(
      atPath: folder.file(name), withDestinationPath: target)
    return folder.file(name)
  }

  private func refusal(_ path: String, user: UInt32 = getuid(), group: UInt32 = getgid()) throws
    -> SnapshotError
  {
    let error = try #require(throws: SnapshotError.self) {
      try TrustedFolders(on: path, user: user, group: group)
    }
    #expect(error.code == .spoolFailed)
    #expect(error.reason.hasPrefix("the folder \(path) is not safe: "))
    return error
  }

  @Test(arguments: [0o700, 0o711, 0o755, 0o1777, 0o1775, 0o2755])
  func `a folder that only its owner can change passes`(_ mode: Int) throws {
    let path = try make("a", mode: mode)
    for path in [path, path + "/not/yet/there"] {
      let folders = try TrustedFolders(on: path).folders
      #expect(folders.first == "/")
      #expect(folders.last == folder.file("a"))
    }
  }

  @Test(arguments: [
    "/", "/tmp", "/var/tmp", "/var/lib", "/var/lib/not-there", "/proc/x", "/dev/shm",
  ])
  func `the system's own folders pass, the sticky ones too`(_ path: String) throws {
    _ = try TrustedFolders(on: path)
  }

  @Test(arguments: [0o777, 0o757, 0o2777])
  func `a folder in which everybody can write is refused, and so is all below it`(_ mode: Int)
    throws
  {
    let open = try make("open", mode: mode)
    let below = try make("open/below/spool")
    for path in [open, below, open + "/not/yet/there"] {
      let error = try refusal(path)
      #expect(
        error.reason
          == "the folder \(path) is not safe: everybody can write in the folder \(open)")
      #expect(
        error.remedy == "Name another folder with --spool-dir, or: `chmod o-w '\(open)'`")
    }
  }

  @Test func `a folder in which another group can write is refused, our own group's is not`() throws
  {
    let path = try make("group", mode: 0o775)
    _ = try TrustedFolders(on: path)
    // Root's group is trusted as root is.
    guard getgid() != 0 else { return try refuseGroupOfAnother(path) }
    let error = try refusal(path, group: Self.stranger)
    #expect(
      error.reason
        == "the folder \(path) is not safe: group \(getgid()) can write in the folder \(path)")
  }

  private func refuseGroupOfAnother(_ path: String) throws {
    try FileManager.default.setAttributes(
      [.groupOwnerAccountID: Int(Self.stranger)], ofItemAtPath: path)
    let error = try refusal(path)
    #expect(
      error.reason
        == "the folder \(path) is not safe: group \(Self.stranger) can write in the folder \(path)")
    #expect(error.remedy == "Name another folder with --spool-dir, or: `chmod g-w '\(path)'`")
    // Nobody is in it.
    _ = try TrustedFolders(on: path, group: Self.stranger)
    _ = try TrustedFolders(on: try make("group", mode: 0o1775))
    _ = try TrustedFolders(on: try make("group", mode: 0o755))
  }

  /// `users` has others in it, whatever it is for this user.
  @Test(.enabled(if: getuid() == 0, "only root can give a folder to a group"))
  func `a folder in which a shared primary group can write is refused`() throws {
    let path = try make("group", mode: 0o775)
    let users: UInt32 = 100
    try FileManager.default.setAttributes([.groupOwnerAccountID: Int(users)], ofItemAtPath: path)
    #expect(
      try refusal(path, group: users).reason.hasSuffix(
        "group \(users) can write in the folder \(path)"))
  }

  @Test func `a folder in which an access list lets others write is refused`() async throws {
    let path = try make("listed", mode: 0o755)
    // user::rwx user:4711:rwx group::r-x mask::rwx other::r-x
    let entries: [(UInt16, UInt16, UInt32)] = [
      (1, 7, .max), (2, 7, Self.stranger), (4, 5, .max), (16, 7, .max), (32, 5, .max),
    ]
    let hex = entries.map { tag, permissions, id in
      let bytes = [tag, permissions].flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
      return (bytes + (0..<4).map { UInt8(id >> ($0 * 8) & 255) })
        .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
    try await Command.run(
      "python3", "-c", "import os, sys; os.setxattr(*sys.argv[1:3], bytes.fromhex(sys.argv[3]))",
      path, "system.posix_acl_access", "02000000" + hex.joined())
    let error = try refusal(path)
    #expect(error.reason.hasSuffix("an access list lets others write in the folder \(path)"))
    #expect(error.remedy == "Name another folder with --spool-dir, or: `chmod g-w '\(path)'`")
    // The list's mask is what the mode shows for the group.
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    _ = try TrustedFolders(on: path)
  }

  @Test(
    "A remedy names the option that the folder has, or none",
    arguments: [
      (TrustedFolders.Purpose.spool, "Name another folder with --spool-dir, or: `chmod o-w '"),
      (.output, "Name another folder with --output, or: `chmod o-w '"),
      (
        .state,
        getuid() == 0
          ? "Fix it: `chmod o-w '" : "Name another folder with XDG_STATE_HOME, or: `chmod o-w '"
      ),
    ])
  func remedies(_ purpose: TrustedFolders.Purpose, _ remedy: String) throws {
    let open = try make("open", mode: 0o777)
    let error = try #require(throws: SnapshotError.self) {
      try TrustedFolders(on: open, for: purpose)
    }
    #expect(error.remedy == "\(remedy)\(open)'`")
    #expect(error.code == (purpose == .spool ? .spoolFailed : .unsafeFolder))
  }

  @Test func `a folder of somebody else is refused, and so is all below it`() throws {
    let below = try make("his/below")
    let his = folder.file("his")
    // Root can give folders away; for others, who asks is another one than the owner.
    if getuid() == 0 {
      try FileManager.default.setAttributes(
        [.ownerAccountID: Int(Self.stranger)], ofItemAtPath: his)
      for path in [his, below] {
        let error = try refusal(path)
        #expect(
          error.reason
            == "the folder \(path) is not safe: the folder \(his) belongs to user \(Self.stranger)")
      }
      _ = try TrustedFolders(on: below, user: Self.stranger)
    } else {
      #expect(
        try refusal(below, user: Self.stranger).reason.contains("belongs to user \(getuid())"))
    }
  }

  @Test func `links of ours are followed, absolute and relative ones`() throws {
    let real = try make("real/spool")
    for (name, target) in [
      ("absolute", real), ("relative", "real/spool"), ("up", "real/../real/./spool"),
    ] {
      let path = try link(name, to: target)
      for path in [path, path + "/x", path + "/../spool"] {
        let last = try TrustedFolders(on: path).folders.last
        #expect(last == real)
      }
    }
    let nowhere = try link("nowhere", to: folder.file("nothing"))
    #expect(try TrustedFolders(on: nowhere).folders.last == folder.path)
  }

  @Test func `a link of somebody else is refused, wherever it leads`() throws {
    let real = try make("real")
    let path = try link("link", to: real)
    let owner: UInt32
    if getuid() == 0 {
      try FileManager.default.removeItem(atPath: path)
      try runLink(path, to: real)
      owner = Self.stranger
      let error = try refusal(path)
      #expect(
        error.reason
          == "the folder \(path) is not safe: the link \(path) belongs to user \(owner)")
      #expect(
        error.remedy
          == "Name the folder it points to with --spool-dir, or: `chown -h root '\(path)'`")
      #expect(try refusal(path + "/below").reason.contains("the link \(path) belongs"))
    } else {
      #expect(try refusal(path, user: Self.stranger).reason.contains("belongs to user \(getuid())"))
    }
  }

  /// Foundation can't give a link itself to somebody.
  private func runLink(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    let chown = try Process.run(
      URL(filePath: "/bin/chown"), arguments: ["-h", "\(Self.stranger)", path])
    chown.waitUntilExit()
    #expect(chown.terminationStatus == 0)
  }

  @Test func `a link of ours into a folder that others can change is refused`() throws {
    let open = try make("open", mode: 0o777)
    let path = try link("link", to: try make("open/spool"))
    #expect(try refusal(path).reason.hasSuffix("everybody can write in the folder \(open)"))
  }

  @Test func `links in a circle are refused`() throws {
    let path = try link("one", to: folder.file("two"))
    _ = try link("two", to: path)
    #expect(try refusal(path).reason.hasSuffix(" leads nowhere"))
  }

  @Test func `a file on the way is refused`() throws {
    try Data().write(to: URL(filePath: folder.file("file")))
    for path in [folder.file("file"), folder.file("file/below")] {
      #expect(try refusal(path).reason.hasSuffix("\(folder.file("file")) is not a directory"))
    }
  }

  @Test func `neither folder is made where one of them is not safe`() throws {
    let open = try make("open", mode: 0o777)
    for (spool, state) in [("new", "open/state"), ("open/spool", "new")] {
      let place = Workspace.Place(
        spoolFolder: folder.file(spool), stateFolder: folder.file(state))
      let error = try #require(throws: SnapshotError.self) {
        try Workspace.prepare(place, owner: nil)
      }
      #expect(error.code == (spool == "new" ? .unsafeFolder : .spoolFailed))
      #expect(error.reason.hasSuffix("everybody can write in the folder \(open)"))
      #expect(!FileManager.default.fileExists(atPath: folder.file("new")))
      #expect(try FileManager.default.contentsOfDirectory(atPath: open).isEmpty)
    }
  }

  @Test func `safe folders are made, private, and through links of ours`() throws {
    let real = try make("real")
    let place = Workspace.Place(
      spoolFolder: try link("link", to: real) + "/spool", stateFolder: folder.file("a/state"))
    for _ in 1...2 { try Workspace.prepare(place, owner: nil) }
    for (path, mode) in [(real + "/spool", 0o711), (place.stateFolder, 0o700)] {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode)
    }
    // A spool folder that is itself a link of ours.
    try Workspace.prepare(
      .init(spoolFolder: folder.file("link"), stateFolder: place.stateFolder), owner: nil)
  }

  @Test(.enabled(if: getuid() == 0, "only root asks for QEMU's user"))
  func `the way of QEMU's user is that through the links`() throws {
    let closed = try make("closed", mode: 0o700)
    let path = try link("link", to: try make("closed/spool"))
    let error = try #require(throws: SnapshotError.self) {
      try Workspace.prepare(
        .init(spoolFolder: path, stateFolder: folder.file("state")),
        owner: .init(user: Int(Self.stranger), group: Int(Self.stranger)))
    }
    #expect(
      error.reason
        == "QEMU's user \(Self.stranger) can't enter \(closed), and the spool folder \(path) lies "
        + "there")
  }
}
