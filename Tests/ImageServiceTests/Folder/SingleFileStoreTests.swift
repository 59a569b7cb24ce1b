import Foundation
import ImageService
import Testing

@Suite struct SingleFileStoreTests {
  let folder: TemporaryFolder
  let store: SingleFileStore

  init() throws {
    folder = try TemporaryFolder()
    store = SingleFileStore(path: folder.path + "/web.qcow2", logger: Fixture.quiet)
  }

  @Test func theFileAppearsAsAWhole() async throws {
    let body = PatternBody(2_000_000)
    _ = try await store.checkAccess()
    _ = try await store.create(Fixture.image)
    let receipt = try await store.upload(Fixture.imageID, body: body) { _ in }
    #expect(try folder.entries() == [".web.qcow2.partial-\(Fixture.id)"])
    let record = try await store.finish(Fixture.imageID, receipt: receipt)
    #expect(try folder.entries() == ["web.qcow2"])
    #expect(try folder.contents("web.qcow2") == body.data)
    #expect(try folder.mode("web.qcow2") == 0o600)
    #expect(record.status == .active)
    #expect(record.osHashValue == Fixture.receipt(body.data).hash)
    try await store.delete(Fixture.imageID)
    #expect(try folder.entries().isEmpty)
  }

  @Test(arguments: [false, true])
  func anExistingFileIsNeverReplaced(isDanglingLink: Bool) async throws {
    if isDanglingLink {
      try FileManager.default.createSymbolicLink(
        atPath: store.path, withDestinationPath: "/nowhere")
    } else {
      try Data("mine".utf8).write(to: URL(filePath: store.path))
    }
    let error = try await Fixture.failure { try await store.checkAccess() }
    #expect(error.code == .fileExists)
    #expect(error.reason.contains(store.path))
    try await store.delete(Fixture.imageID)
    #expect(try folder.entries() == ["web.qcow2"])
  }

  @Test func aFileThatAppearsMeanwhileIsNotReplacedEither() async throws {
    _ = try await store.create(Fixture.image)
    let receipt = try await store.upload(Fixture.imageID, body: PatternBody(100)) { _ in }
    try Data("mine".utf8).write(to: URL(filePath: store.path))
    let error = try await Fixture.failure {
      try await store.finish(Fixture.imageID, receipt: receipt)
    }
    #expect(error.code == .fileExists)
    try await store.delete(Fixture.imageID)
    #expect(try folder.entries() == ["web.qcow2"])
    #expect(try folder.contents("web.qcow2") == Data("mine".utf8))
  }

  @Test func theBytesOfAFileCanBeSentThroughALink() async throws {
    let bytes = PatternBody(1_500_000).data
    try bytes.write(to: URL(filePath: folder.path + "/source"))
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/link", withDestinationPath: "source")
    let body = FileBody(path: folder.path + "/link")
    #expect(body.byteCount == 1_500_000)
    _ = try await store.create(Fixture.image)
    let receipt = try await store.upload(Fixture.imageID, body: body) { _ in }
    #expect(receipt == Fixture.receipt(bytes))
    #expect(FileBody(path: "/dev/null").byteCount == nil)
  }

  @Test func aMissingDirectoryIsNamed() async throws {
    let store = SingleFileStore(path: folder.path + "/no/web.qcow2", logger: Fixture.quiet)
    let error = try await Fixture.failure { try await store.checkAccess() }
    #expect(error.code == .badDirectory)
    #expect(error.reason.contains(folder.path + "/no"))
  }

  @Test func anUploadThatFailedLeavesNothingAfterDelete() async throws {
    _ = try await store.create(Fixture.image)
    let error = try await Fixture.failure {
      try await store.upload(Fixture.imageID, body: PatternBody(1000, failsAt: 500)) { _ in }
    }
    #expect(error.code == .bodyFailed)
    try await store.delete(Fixture.imageID)
    #expect(try folder.entries().isEmpty)
  }

  @Test func anotherRunCanRemoveWhatADeadOneLeft() async throws {
    _ = try await store.create(Fixture.image)
    _ = try await store.upload(Fixture.imageID, body: PatternBody(1000)) { _ in }
    let next = SingleFileStore(path: store.path, logger: Fixture.quiet)
    try await next.delete(Fixture.imageID)
    #expect(try folder.entries().isEmpty)
  }
}
