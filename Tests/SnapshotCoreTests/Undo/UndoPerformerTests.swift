import Foundation
import Libvirt
import Synchronization
import Testing

@testable import SnapshotCore

/// Undoing on libvirt's test driver: each may be done twice, and does nothing where there is
/// nothing left to undo.
@Suite struct UndoPerformerTests {
  private func performer(_ domain: Domain) -> UndoPerformer {
    UndoPerformer(server: domain.identity, over: domain.connection) {
      Issue.record("image \($0) was deleted")
    }
  }

  private func temporaryPath() -> String {
    NSTemporaryDirectory() + "/image-create-undo-\(UUID().uuidString)"
  }

  @Test func `an image is deleted by the image service`() async throws {
    let deleted = Mutex<[UUID]>([])
    let server = try await TestDriver.server()
    let performer = UndoPerformer(server: server.identity, over: server.connection) { id in
      deleted.withLock { $0.append(id) }
    }
    let id = UUID()
    try await performer.perform(.deleteImage(id: id))
    #expect(deleted.withLock { $0 } == [id])
  }

  @Test func `files and folders are removed, and one that is gone is fine`() async throws {
    let performer = performer(try await TestDriver.server())
    let folder = temporaryPath()
    let file = folder + "/a"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for name in ["/a", "/b"] {
      #expect(FileManager.default.createFile(atPath: folder + name, contents: Data()))
    }
    for _ in 1...2 {
      try await performer.perform(.removeFile(path: file))
      #expect(!FileManager.default.fileExists(atPath: file))
      #expect(FileManager.default.fileExists(atPath: folder))
    }
    for _ in 1...2 {
      try await performer.perform(.removeFolder(path: folder))
      #expect(!FileManager.default.fileExists(atPath: folder))
    }
  }

  @Test func `a mirror's file that has become the guest's disk is not removed`() async throws {
    let folder = temporaryPath()
    let file = Workspace.pathForQEMU("delta.qcow2", in: folder)
    try FileManager.default.createDirectory(
      atPath: folder + "/" + Workspace.qemuFolder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(FileManager.default.createFile(atPath: file, contents: Data()))
    let pivoted = try await TestDriver.server(
      devices: "<disk type='file'><source file='\(file)'/><target dev='vda'/></disk>")
    for action in [UndoAction.removeFile(path: file), .removeFolder(path: folder)] {
      let error = await #expect(throws: SnapshotError.self) {
        try await performer(pivoted).perform(action)
      }
      #expect(error?.code == .diskInUse)
      #expect(FileManager.default.fileExists(atPath: file))
    }
    try await performer(try await TestDriver.server()).perform(.removeFolder(path: folder))
    #expect(!FileManager.default.fileExists(atPath: folder))
  }

  @Test func `a frozen guest is thawed`() async throws {
    let server = try await TestDriver.server()
    #expect(try await server.freeze() > 0)
    try await performer(server).perform(.thaw)
    #expect(try await server.thaw() == 0)
    try await performer(server).perform(.thaw)
  }

  @Test func `a saved server is started from its saved memory, once`() async throws {
    let server = try await TestDriver.server()
    try await server.managedSave()
    for _ in 1...2 {
      try await performer(server).perform(.start())
      #expect(try await server.state() == .running)
      #expect(try await server.hasManagedSaveImage() == false)
    }
  }

  @Test(arguments: [true, false])
  func `a server is started from memory that this run saved, not from another's`(_ isOurs: Bool)
    async throws
  {
    let server = try await TestDriver.server()
    try await server.managedSave()
    let path = temporaryPath()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data("ours".utf8).write(to: URL(filePath: path))
    let saved = try #require(SavedMemory(at: path))
    if !isOurs {
      try FileManager.default.removeItem(atPath: path)
      try Data("another's".utf8).write(to: URL(filePath: path))
    }
    let notices = Mutex<[String]>([])
    let performer = UndoPerformer(
      server: server.identity, over: server.connection,
      notice: { text in notices.withLock { $0.append(text) } }
    ) { _ in }
    try await performer.perform(.start(saved: saved))
    #expect(try await server.state() == (isOurs ? .running : .shutOff))
    #expect(try await server.hasManagedSaveImage() == !isOurs)
    #expect(
      notices.withLock { $0 }
        == (isOurs
          ? []
          : ["server 'one' was started and saved again by someone else, so it was left alone"]))
  }

  /// What `endBackup` sees of a job, one look after the other; the last one stays.
  private final class Job: Sendable {
    /// Whether it is there, and whether it may begin.
    private let looks: Mutex<[(Bool, Bool)]>
    private let count = Mutex(0)

    init(_ looks: [(Bool, Bool)]) { self.looks = Mutex(looks) }

    var aborts: Int { count.withLock { $0 } }

    /// Every look at the job itself is the next one.
    func isThere() -> Bool {
      looks.withLock { $0.count > 1 ? $0.removeFirst().0 : $0.first?.0 ?? false }
    }
    func mayBegin() -> Bool { looks.withLock { $0.first?.1 ?? false } }
    func abort() { count.withLock { $0 += 1 } }
  }

  @Test(
    "A backup job is ended once, even one that begins later, and one that is not there is fine",
    arguments: [
      ([(false, false)], 0), ([(true, false), (true, false), (false, false)], 1),
      // Its begin was not answered: it comes while it is waited for.
      ([(false, true), (false, true), (true, true), (false, false)], 1),
      // It came between two looks.
      ([(false, false), (true, false), (true, false), (false, false)], 1),
    ] as [([(Bool, Bool)], Int)])
  func endBackup(_ looks: [(Bool, Bool)], _ aborts: Int) async throws {
    let job = Job(looks)
    try await UndoPerformer.endBackup {
      job.isThere()
    } mayBegin: {
      job.mayBegin()
    } abort: {
      job.abort()
    }
    #expect(job.aborts == aborts)
  }

  @Test func `a server whose saved memory is gone is not rebooted`() async throws {
    let connection = try await TestDriver.server().connection
    try await connection.define(xml: TestDriver.Server(name: "off").xml)
    let off = try #require(try await connection.domain(name: "off"))
    #expect(try await off.state() == .shutOff)
    let error = await #expect(throws: SnapshotError.self) {
      try await performer(off).perform(.start())
    }
    #expect(error?.code == .notRestored)
    #expect(try await off.state() == .shutOff)
  }

  @Test(arguments: [true, false])
  func `a server is defined again with its autostart, and its saved XML is removed`(
    _ autostarts: Bool
  ) async throws {
    let server = try await TestDriver.server()
    let path = temporaryPath()
    try await server.xml([.secure, .inactive]).write(
      toFile: path, atomically: true, encoding: .utf8)
    try await server.undefine(keeping: [])
    #expect(try await server.isPersistent() == false)
    let action = UndoAction.define(xmlPath: path, autostarts: autostarts)
    try await performer(server).perform(action)
    #expect(try await server.isPersistent())
    #expect(try await server.state() == .running)
    #expect(try await server.autostarts() == autostarts)
    #expect(!FileManager.default.fileExists(atPath: path))
    try await performer(server).perform(action)
    #expect(try await server.isPersistent())
  }

  @Test func `a definition whose saved XML is gone can't be made and stays undone`() async throws {
    let server = try await TestDriver.server()
    try await server.undefine(keeping: [])
    let path = temporaryPath()
    await #expect(throws: (any Error).self) {
      try await performer(server).perform(.define(xmlPath: path, autostarts: false))
    }
  }

  @Test func `no mirror and somebody else's mirror are left alone`() async throws {
    // The test driver has no block jobs: an abort would fail.
    let server = try await TestDriver.server(
      devices: """
        <disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk>
        """)
    try await performer(server).perform(.abortMirror(disk: "vda", target: "/spool/ours"))
    try await performer(server).perform(.abortMirror(disk: "vdz", target: "/spool/ours"))
  }

  @Test func `a host device that is there already is not attached again`() async throws {
    let server = try await TestDriver.server(devices: DomainXMLFixtures.pci)
    let device = try #require(
      try DomainXML.parse(try await server.xml()).hostDevices.first)
    try await performer(server).perform(.attach(deviceXML: device.xml, label: device.label))
    #expect(try DomainXML.parse(try await server.xml()).hostDevices == [device])
  }
}

extension Domain {
  fileprivate var identity: ServerIdentity {
    ServerIdentity(uuid: uuid, name: name, uri: connection.uri)
  }
}
