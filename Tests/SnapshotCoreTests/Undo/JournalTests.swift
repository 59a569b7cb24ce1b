import Foundation
import QemuTools
import Synchronization
import SystemPackage
import Testing

@testable import SnapshotCore

/// What a run writes down, and what is read of it when the run is dead.
@Suite struct JournalTests {
  private static let server = ServerIdentity(
    uuid: "b19eb9f1-654a-41ec-847c-bbcc61f7a271", name: "fed 18", uri: "qemu:///system")
  private static let header = Journal.Header(server: server, image: "snäp\n1", store: "folder /i")

  /// The queue that writes lets go of a stack a moment after its last line.
  private static let patience = Duration.seconds(5)

  private static let actions: [UndoAction] = [
    .deleteImage(id: UUID(uuidString: "E7C4BE6E-D727-4271-9134-A02197022314") ?? UUID()),
    .removeFolder(path: "/spool/1"), .removeFile(path: "/spool/1/delta"),
    .endPrograms(folder: "/spool/1"), .thaw, .abortMirror(disk: "vda", target: "/spool/1/delta"),
    .abortBackup(socket: "/spool/1/disk.sock", wasRunning: true),
    .define(xmlPath: "/state/1.xml", autostarts: true), .start(),
    .attach(deviceXML: "<hostdev mode='subsystem'/>", label: "a\"b"),
  ]

  private func stack(_ folder: TemporaryFolder) throws -> (UndoStack, Journal) {
    let journal = try Journal.open(
      Self.header, at: Journal.newPath(of: Self.server, in: folder.file("journal")))
    return (UndoStack(journal: journal) { _ in }, journal)
  }

  private func text(_ journal: Journal) throws -> Data {
    try Data(contentsOf: URL(filePath: journal.path))
  }

  private func content(_ journal: Journal) throws -> JournalContent? {
    try JournalContent.parse(try text(journal), path: journal.path)
  }

  @Test func `everything that was pushed is in the journal, as it was`() async throws {
    let folder = try TemporaryFolder()
    let (stack, journal) = try stack(folder)
    for (index, action) in Self.actions.enumerated() {
      try await stack.push(action)
      #expect(try content(journal)?.entries.map(\.action) == Array(Self.actions[...index]))
    }
    #expect(try content(journal)?.header == Self.header)
  }

  @Test func `it and its folder are private, and it has no secret`() throws {
    let folder = try TemporaryFolder()
    let (_, journal) = try stack(folder)
    for (path, mode) in [(journal.path, 0o600), (folder.file("journal"), 0o700)] {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode)
    }
    let keys = try #require(
      try JSONSerialization.jsonObject(with: try text(journal)) as? [String: Any]
    ).keys.sorted()
    #expect(
      keys == [
        "began", "image", "process", "serverID", "serverName", "store", "uri", "version",
      ])
  }

  @Test func `the order of the stack is kept: undone, forgotten, put below another one`()
    async throws
  {
    let folder = try TemporaryFolder()
    let (stack, journal) = try stack(folder)
    let one = try await stack.push(.removeFile(path: "/1"))
    try await stack.push(.removeFile(path: "/2"))
    let three = try await stack.push(.removeFile(path: "/3"))
    _ = try await stack.push(.removeFile(path: "/4"), below: one)
    #expect(
      try content(journal)?.entries.map(\.action)
        == ["/4", "/1", "/2", "/3"].map { .removeFile(path: $0) })
    try await stack.undo(three)
    await stack.forget(one)
    #expect(
      try content(journal)?.entries.map(\.action)
        == ["/4", "/2"].map { .removeFile(path: $0) })
    #expect(stack.pending == ["/2", "/4"].map { .removeFile(path: $0) })
  }

  @Test func `cut off anywhere it says what was whole by then`() async throws {
    let folder = try TemporaryFolder()
    let (stack, journal) = try stack(folder)
    for action in Self.actions { try await stack.push(action) }
    let text = try text(journal)
    for length in 0...text.count {
      let part = text.prefix(length)
      let whole = part.count { $0 == UInt8(ascii: "\n") }
      let content = try JournalContent.parse(part, path: "/j")
      #expect(
        content?.entries.map(\.action) == (whole == 0 ? nil : Array(Self.actions[..<(whole - 1)])))
    }
  }

  @Test(
    "What is no journal, or a newer one, is an error that names it",
    arguments: [
      ("nonsense\n", "/j is damaged and can't be read"),
      ("{\"version\":2}\n", "/j has version 2 and this image-create reads up to 1"),
      ("{\"version\":1}\n", "/j is damaged and can't be read"),
      ("[]\n{}\n", "/j is damaged and can't be read"),
    ])
  func damaged(_ text: String, _ reason: String) throws {
    let error = try #require(throws: SnapshotError.self) {
      try JournalContent.parse(Data(text.utf8), path: "/j")
    }
    #expect(error.code == .journalFailed)
    #expect(error.reason == reason)
  }

  @Test func `a bad line in the middle is an error and no silence`() async throws {
    let folder = try TemporaryFolder()
    let (stack, journal) = try stack(folder)
    try await stack.push(.start())
    var text = try text(journal)
    text += Data("{\"pish\":1}\n{\"undone\":1}\n".utf8)
    #expect(throws: SnapshotError.self) { try JournalContent.parse(text, path: "/j") }
  }

  @Test func `a living run is not found, a dead one is, and is gone when it is undone`()
    async throws
  {
    let folder = try TemporaryFolder()
    let path = folder.file("journal")
    var living: (UndoStack, Journal)? = try stack(folder)
    try await living?.0.push(.thaw)
    try await living?.0.push(.start())
    #expect(await DeadRun.all(in: path).runs.isEmpty)
    // The kernel lets the lock go when the last descriptor is closed, as with the process.
    living = nil
    var (runs, damaged) = await DeadRun.all(in: path, patience: .seconds(5))
    #expect(damaged.isEmpty)
    #expect(runs.map(\.pending) == [[.start(), .thaw]])
    #expect(runs.first?.header == Self.header)
    // Nobody else finds it meanwhile, and nobody finds another server's.
    #expect(await DeadRun.all(in: path, of: "other").runs.isEmpty)
    #expect(await DeadRun.all(in: path).runs.isEmpty)

    struct Broken: Error {}
    let leftovers = await runs[0].undo({ if $0 == .thaw { throw Broken() } }, report: { _ in })
    #expect(leftovers.map(\.action) == [.thaw])
    runs = []
    runs = await DeadRun.all(in: path, patience: .seconds(5)).runs
    #expect(runs.map(\.pending) == [[.thaw]])
    var done: [UndoAction] = []
    #expect(await runs[0].undo({ _ in }, report: { done.append($0) }).isEmpty)
    #expect(done == [.thaw])
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == [])
  }

  @Test func `what was killed before it had its name is removed`() async throws {
    let folder = try TemporaryFolder()
    let (_, journal) = try stack(folder)
    let half = folder.file("journal/.half")
    try Data().write(to: URL(filePath: half))
    #expect(await DeadRun.all(in: folder.file("journal")).runs.isEmpty)
    #expect(!FileManager.default.fileExists(atPath: half))
    #expect(FileManager.default.fileExists(atPath: journal.path))
  }

  /// A stack whose journal does not take what is forgotten, as on a file system that is full.
  private func forgetful(_ journal: Journal) -> UndoStack {
    struct Broken: Error {}
    return UndoStack(
      entries: [],
      record: { (line, action) throws(SnapshotError) in
        if case .forgotten = line {
          throw SnapshotError(.journalFailed, "it is full", remedy: "Free some space")
        }
        try journal.write(line, about: action)
      },
      perform: { if $0 != .thaw { throw Broken() } })
  }

  @Test func `an image that is to stay is not deleted later, though that could not be written`()
    async throws
  {
    let folder = try TemporaryFolder()
    var journal: Journal? = try stack(folder).1
    let path = try #require(journal?.path)
    var stack = journal.map { forgetful($0) }
    let image = try #require(try await stack?.push(.deleteImage(id: UUID())))
    try await stack?.push(.thaw)
    try await stack?.push(.removeFile(path: "/left"))
    await stack?.forget(image)
    #expect(await stack?.unwind().map(\.action) == [.removeFile(path: "/left")])
    #expect(try content(try #require(journal))?.entries.count == 2)
    #expect(await stack?.settle(try #require(journal)) == true)
    stack = nil
    journal = nil
    let run = try #require(try await DeadRun.open(path, Self.patience))
    #expect(run.header == Self.header)
    #expect(run.pending == [.removeFile(path: "/left")])
  }

  @Test func `a journal that cannot say that an image is to stay is removed`() async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a.journal")
    // A link, which is read but not written through.
    try Data("{}\n".utf8).write(to: URL(filePath: folder.file("elsewhere")))
    try FileManager.default.createSymbolicLink(
      atPath: path, withDestinationPath: folder.file("elsewhere"))
    let full = try FileDescriptor.open(FilePath("/dev/full"), .readWrite)
    let journal = Journal(path: path, file: full)
    struct Broken: Error {}
    let stack = UndoStack(
      entries: [],
      record: { (line, _) throws(SnapshotError) in
        if case .forgotten = line { try journal.write(line) }
      },
      perform: { _ in throw Broken() })
    let image = try await stack.push(.deleteImage(id: UUID()))
    try await stack.push(.thaw)
    await stack.forget(image)
    #expect(await stack.unwind().count == 1)
    #expect(await stack.settle(journal) == false)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func `a journal goes when nothing is left, and stays as it is when something is`()
    async throws
  {
    let folder = try TemporaryFolder()
    for isLeft in [true, false] {
      let (stack, journal) = try stack(folder)
      if isLeft { try await stack.push(.thaw) }
      let before = try text(journal)
      #expect(await stack.settle(journal))
      #expect((FileManager.default.contents(atPath: journal.path) == before) == isLeft)
      #expect(FileManager.default.fileExists(atPath: journal.path) == isLeft)
    }
  }

  @Test func `an action that is known better later keeps its place`() async throws {
    let folder = try TemporaryFolder()
    let (stack, journal) = try stack(folder)
    let one = try await stack.push(.start())
    try await stack.push(.thaw)
    _ = try await stack.replace(one, with: .removeFile(path: "/1"))
    #expect(stack.pending == [.thaw, .removeFile(path: "/1")])
    #expect(try content(journal)?.entries.map(\.action) == [.removeFile(path: "/1"), .thaw])
  }

  @Test func `a guest that is frozen is thawed before anything is waited for`() async throws {
    let folder = try TemporaryFolder()
    var living: (UndoStack, Journal)? = try stack(folder)
    let path = try #require(living?.1.path)
    for action in [UndoAction.start(), .thaw] { try await living?.0.push(action) }
    living = nil
    let run = try #require(try await DeadRun.open(path, Self.patience))
    let begin = ContinuousClock.now
    let done = Mutex<[(action: UndoAction, after: Duration)]>([])
    let leftovers = await run.undo(
      { action in done.withLock { $0.append((action, ContinuousClock.now - begin)) } },
      report: { _ in })
    #expect(leftovers.isEmpty)
    // Once more when what was still to come has come.
    #expect(done.withLock { $0.map(\.action) } == [.thaw, .thaw, .start()])
    let times = done.withLock { $0.map(\.after) }
    #expect(times[0] < .seconds(1))
    #expect(times[1] >= .seconds(2))
  }

  @Test(.enabled(if: getuid() == 0, "only root can give a folder away"))
  func `a journal in a folder of somebody else is not written`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("his")
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.ownerAccountID: 4711])
    let error = try #require(throws: SnapshotError.self) {
      try Journal.open(Self.header, at: Journal.newPath(of: Self.server, in: path))
    }
    #expect(error.code == .unsafeFolder)
    #expect(error.remedy == "Fix it: `chown root '\(path)'`")
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == [])
  }

  @Test func `a journal that can't be written lets nothing begin`() throws {
    let folder = try TemporaryFolder()
    let blocked = folder.file("blocked")
    try Data().write(to: URL(filePath: blocked))
    let error = try #require(throws: SnapshotError.self) {
      try Journal.open(Self.header, at: Journal.newPath(of: Self.server, in: blocked))
    }
    #expect(error.code == .unsafeFolder)
    #expect(error.reason.contains(blocked))
  }

  @Test func `what can't be written down is not on the stack`() async throws {
    // Every write to it fails: no space left on device.
    let full = try FileDescriptor.open(FilePath("/dev/full"), .readWrite)
    let stack = UndoStack(journal: Journal(path: "/dev/full", file: full)) { _ in }
    let error = try await #require(throws: SnapshotError.self) { try await stack.push(.thaw) }
    #expect(error.code == .journalFailed)
    #expect(stack.pending.isEmpty)
  }
}
