import Foundation
import SystemPackage
import Testing

@testable import ImageService

@Suite struct FolderStoreTests {
  let folder: TemporaryFolder
  let store: FolderStore

  init() throws {
    folder = try TemporaryFolder()
    store = FolderStore(directory: folder.path + "/images/", logger: Fixture.quiet)
  }

  static let id = Fixture.id

  @Test func anImageAppearsAsAWhole() async throws {
    let body = PatternBody(3_000_000)
    #expect(try await store.checkAccess() == nil)
    #expect(try folder.entries().isEmpty)
    let queued = try await store.create(Fixture.image)
    #expect(queued.status == .queued)
    #expect(try folder.entries("images") == [".\(Self.id).partial"])
    let receipt = try await store.upload(Fixture.imageID, body: body) { _ in }
    #expect(receipt == Fixture.receipt(body.data))
    #expect(try folder.entries("images") == [".\(Self.id).partial"])
    let record = try await store.finish(Fixture.imageID, receipt: receipt)
    #expect(try folder.entries("images") == [Self.id])
    #expect(try folder.entries("images/\(Self.id)") == ["image.json", "image.qcow2"])
    #expect(try folder.contents("images/\(Self.id)/image.qcow2") == body.data)
    #expect(store.imagePath(record) == folder.path + "/images/\(Self.id)/image.qcow2")
    let stored = try JSONDecoder().decode(
      ImageRecord.self, from: folder.contents("images/\(Self.id)/image.json"))
    #expect(stored == record)
    #expect(record.status == .active)
    #expect(record.size == 3_000_000)
    #expect(record.osHashAlgo == "sha512")
    #expect(record.osHashValue == receipt.hash)
    #expect(record.properties == ["hw_disk_bus": "virtio"])
  }

  @Test func `properties that are added later are in the record`() async throws {
    _ = try await store.create(Fixture.image)
    try await store.update(Fixture.imageID, properties: ["a:b": "1", "hw_disk_bus": "scsi"])
    let receipt = try await store.upload(Fixture.imageID, body: PatternBody(10)) { _ in }
    let record = try await store.finish(Fixture.imageID, receipt: receipt)
    #expect(record.properties == ["a:b": "1", "hw_disk_bus": "scsi"])
    let stored = try JSONDecoder().decode(
      ImageRecord.self, from: folder.contents("images/\(Self.id)/image.json"))
    #expect(stored == record)
  }

  @Test func onlyTheOwnerCanReadAnything() async throws {
    _ = try await store.create(Fixture.image)
    let receipt = try await store.upload(Fixture.imageID, body: PatternBody(10)) { _ in }
    _ = try await store.finish(Fixture.imageID, receipt: receipt)
    #expect(try folder.mode("images") == 0o700)
    #expect(try folder.mode("images/\(Self.id)") == 0o700)
    #expect(try folder.mode("images/\(Self.id)/image.json") == 0o600)
    #expect(try folder.mode("images/\(Self.id)/image.qcow2") == 0o600)
  }

  @Test func aSecondUploadReplacesTheFirst() async throws {
    _ = try await store.create(Fixture.image)
    let broken = PatternBody(2_000_000, failsAt: 1_500_000)
    let error = try await Fixture.failure {
      try await store.upload(Fixture.imageID, body: broken) { _ in }
    }
    #expect(error.code == .bodyFailed)
    #expect(error.cause is PatternBody.Broken)
    #expect(error.reason.contains("1500000 bytes"))
    let receipt = try await store.upload(Fixture.imageID, body: PatternBody(100)) { _ in }
    let record = try await store.finish(Fixture.imageID, receipt: receipt)
    #expect(record.size == 100)
  }

  @Test func deleteRemovesAPartialOrAFinishedImageAndNothingIsSuccess() async throws {
    try await store.delete(Fixture.imageID)
    _ = try await store.create(Fixture.image)
    try await store.delete(Fixture.imageID)
    #expect(try folder.entries("images").isEmpty)
    _ = try await store.create(Fixture.image)
    let receipt = try await store.upload(Fixture.imageID, body: PatternBody(100)) { _ in }
    _ = try await store.finish(Fixture.imageID, receipt: receipt)
    try await store.delete(Fixture.imageID)
    #expect(try folder.entries("images").isEmpty)
    try await store.delete(Fixture.imageID)
  }

  @Test func anImageThatIsThereIsAConflict() async throws {
    _ = try await store.create(Fixture.image)
    let partial = try await Fixture.failure { try await store.create(Fixture.image) }
    #expect(partial.code == .fileExists)
    let receipt = try await store.upload(Fixture.imageID, body: PatternBody(100)) { _ in }
    _ = try await store.finish(Fixture.imageID, receipt: receipt)
    let whole = try await Fixture.failure { try await store.create(Fixture.image) }
    #expect(whole.code == .conflict)
  }

  @Test func aFileThatChangedAfterTheUploadIsNoImage() async throws {
    _ = try await store.create(Fixture.image)
    let receipt = try await store.upload(Fixture.imageID, body: PatternBody(100)) { _ in }
    let path = folder.path + "/images/.\(Self.id).partial/image.qcow2"
    try Data("short".utf8).write(to: URL(filePath: path))
    let error = try await Fixture.failure {
      try await store.finish(Fixture.imageID, receipt: receipt)
    }
    #expect(error.code == .sizeMismatch)
    #expect(try folder.entries("images") == [".\(Self.id).partial"])
  }

  @Test func anImageRemovedMeanwhileIsGone() async throws {
    _ = try await store.create(Fixture.image)
    try await store.delete(Fixture.imageID)
    let upload = try await Fixture.failure {
      try await store.upload(Fixture.imageID, body: PatternBody(1)) { _ in }
    }
    #expect(upload.code == .imageGone)
  }

  @Test func aLinkIsRefusedAsAnImageFolder() async throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/images", withDestinationPath: "/tmp")
    for error in [
      try await Fixture.failure { try await store.checkAccess() },
      try await Fixture.failure { try await store.create(Fixture.image) },
    ] {
      #expect(error.code == .badDirectory)
      #expect(error.reason.contains("symbolic link"))
    }
  }

  @Test func aFolderThatEverybodyCanWriteToIsRefused() async throws {
    try FileManager.default.createDirectory(
      atPath: folder.path + "/images", withIntermediateDirectories: false)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o777], ofItemAtPath: folder.path + "/images")
    let error = try await Fixture.failure { try await store.checkAccess() }
    #expect(error.code == .badDirectory)
    #expect(error.remedy.contains("chmod"))
  }

  @Test func aFileInPlaceOfTheFolderIsRefused() async throws {
    try Data().write(to: URL(filePath: folder.path + "/images"))
    let error = try await Fixture.failure { try await store.checkAccess() }
    #expect(error.code == .badDirectory)
    let below = FolderStore(directory: folder.path + "/images/x/y", logger: Fixture.quiet)
    let above = try await Fixture.failure { try await below.checkAccess() }
    #expect(above.code == .badDirectory)
  }

  @Test func anImageThatCannotFitIsRefusedBeforeItsFirstByte() async throws {
    _ = try await store.create(Fixture.image)
    let error = try await Fixture.failure {
      try await store.upload(
        Fixture.imageID, body: PatternBody(10, announced: 1 << 60)
      ) { _ in }
    }
    #expect(error.code == .noSpace)
    #expect(error.reason.contains("\(1 << 60)"))
    #expect(error.reason.contains("bytes are free"))
  }

  @Test func aDiskThatFillsUpIsNamedWithItsNumbers() throws {
    let full = try FileDescriptor.open(FilePath("/dev/full"), .writeOnly)
    defer { try? full.close() }
    let error = try #require(throws: ImageServiceError.self) {
      try PartialFile(path: "/dev/full").copy(
        PatternBody(1000), to: full, progress: { _ in }, cancellation: DiskThread.Cancellation())
    }
    #expect(error.code == .noSpace)
    #expect(error.reason.contains("/dev/full needed 1000 more bytes after 0 bytes"))
    #expect(error.cause as? Errno == .noSpace)
  }

  @Test func aCancelledUploadEndsAtOnce() async throws {
    _ = try await store.create(Fixture.image)
    let (started, start) = AsyncStream<Void>.makeStream()
    let store = store
    let task = Task {
      try await Fixture.failure {
        try await store.upload(
          Fixture.imageID, body: PatternBody(50_000_000, delay: 0.01)
        ) { _ in start.yield() }
      }
    }
    for await _ in started { break }
    task.cancel()
    let error = try await task.value
    #expect(error.code == .cancelled)
  }

  @Test(
    arguments: [
      (0, [:], "/var/lib/image-create/images"),
      (0, ["XDG_DATA_HOME": "/x"], "/var/lib/image-create/images"),
      (1000, ["XDG_DATA_HOME": "/x", "HOME": "/home/a"], "/x/image-create/images"),
      (1000, ["HOME": "/home/a"], "/home/a/.local/share/image-create/images"),
      (1000, ["XDG_DATA_HOME": "x", "HOME": "/h"], "/h/.local/share/image-create/images"),
      (1000, ["XDG_DATA_HOME": ""], nil),
    ] as [(UInt32, [String: String], String?)])
  func theDefaultFolderDependsOnTheUser(
    userID: UInt32, environment: [String: String], path: String?
  ) {
    #expect(DefaultImageFolder.path(userID: userID, environment: environment) == path)
  }
}
