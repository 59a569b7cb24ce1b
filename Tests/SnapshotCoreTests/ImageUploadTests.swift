import Foundation
import Logging
import Synchronization
import Testing

@testable import SnapshotCore

@Suite struct ImageUploadTests {
  /// An image service that fails as it is told.
  private final class FlakySink: ImageSink {
    struct Failure: Error {
      var passes = true
      /// It is a quota's refusal, for as long as there are so many images.
      var quota: Int?
    }

    struct State {
      /// One for each upload that fails, first first.
      var failures: [Failure]
      /// How many records can't be made, from the second one on.
      var refusedRecords = 0
      var reserved: [UUID] = []
      /// The properties that images were created with, and what was added later.
      var created: [[String: String]] = []
      var added: [[String: String]] = []
      /// What adding properties fails with.
      var refusal: Failure?
      var delivered: [UUID] = []
      var deleted: [UUID] = []
      /// How many images were deleted when the server was put back.
      var deletedBefore: Int?
    }

    let name = "a flaky service"
    let state: Mutex<State>

    init(_ failures: [Failure], refusedRecords: Int = 0) {
      state = Mutex(State(failures: failures, refusedRecords: refusedRecords))
    }

    func reserve(_ image: ImageDescription) async throws {
      try state.withLock { state in
        if !state.reserved.isEmpty, state.refusedRecords > 0 {
          state.refusedRecords -= 1
          throw Failure()
        }
        state.reserved.append(image.id)
        state.created.append(image.properties)
      }
    }

    func describe(_ id: UUID, _ properties: [String: String]) async throws {
      try state.withLock { state in
        state.added.append(properties)
        if let refusal = state.refusal { throw refusal }
      }
    }

    func deliver(
      _ id: UUID, _ data: ImageData, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
      try state.withLock { state in
        progress(7)
        if let failure = state.failures.first {
          guard let quota = failure.quota, state.reserved.count - state.deleted.count <= quota
          else {
            if failure.quota == nil { state.failures.removeFirst() }
            throw failure
          }
          state.failures.removeFirst()
        }
        state.delivered.append(id)
      }
    }

    func passingReason(of error: any Error) -> String? {
      (error as? Failure)?.passes == true ? "it failed" : nil
    }

    func isQuotaRefusal(_ error: any Error) -> Bool { (error as? Failure)?.quota != nil }

    func putBack() { state.withLock { $0.deletedBefore = $0.deleted.count } }

    func discard(_ id: UUID) async throws { state.withLock { $0.deleted.append(id) } }
  }

  private static func send(
    over sink: FlakySink, retries: Int, typed: [String: String] = [:],
    added: [String: String] = [:], seen: @escaping @Sendable (Int64) -> Void = { _ in }
  ) async throws -> (UndoStack, ImageDescription) {
    let undo = UndoStack { action in
      guard case .deleteImage(let id) = action else { return sink.putBack() }
      try await sink.discard(id)
    }
    let image = ImageDescription(
      id: UUID(), name: "snap1", diskFormat: "raw", minDisk: 1, properties: typed)
    let patience = ImageUpload.Patience(retries: retries, firstPause: .milliseconds(1))
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    var upload = ImageUpload(image, to: sink, undo: undo, patience: patience, log: quiet)
    do {
      try await upload.reserve()
      try await undo.push(.removeFile(path: "/server"))
      upload.record(added)
      try await upload.send(.file(path: "/x", byteCount: 9), progress: seen)
      await upload.keep()
    } catch {
      await undo.unwind()
      throw error
    }
    return (undo, upload.image)
  }

  @Test func `an upload that passes has one record, which stays`() async throws {
    let sink = FlakySink([])
    let (undo, image) = try await Self.send(over: sink, retries: 4)
    let state = sink.state.withLock { $0 }
    #expect(state.reserved == [image.id] && state.delivered == [image.id] && state.deleted == [])
    #expect(undo.pending == [.removeFile(path: "/server")])
  }

  @Test func `each further attempt is an image of its own, and the broken one is deleted`()
    async throws
  {
    let sink = FlakySink([.init(), .init()])
    let (undo, image) = try await Self.send(over: sink, retries: 2)
    await undo.unwind()
    let state = sink.state.withLock { $0 }
    #expect(Set(state.reserved).count == 3)
    #expect(state.delivered == [image.id] && state.reserved.last == image.id)
    #expect(Set(state.deleted) == Set(state.reserved.prefix(2)))
    #expect(undo.pending == [])
  }

  @Test func `the server is put back before any image is deleted`() async throws {
    let sink = FlakySink(Array(repeating: .init(), count: 9))
    await #expect(throws: FlakySink.Failure.self) {
      _ = try await Self.send(over: sink, retries: 2)
    }
    #expect(sink.state.withLock { $0.deletedBefore } == 0)
    #expect(sink.state.withLock { $0.deleted.count } == 3)
  }

  @Test func `progress begins again with the bytes`() async throws {
    let seen = Mutex<[Int64]>([])
    _ = try await Self.send(over: FlakySink([.init()]), retries: 1) { count in
      seen.withLock { $0.append(count) }
    }
    #expect(seen.withLock { $0 } == [7, 0, 7])
  }

  @Test func `a record that can't be made counts as a failure`() async throws {
    let sink = FlakySink([.init()], refusedRecords: 1)
    let (undo, image) = try await Self.send(over: sink, retries: 2)
    #expect(sink.state.withLock { $0.delivered } == [image.id])
    await undo.unwind()
    let state = sink.state.withLock { $0 }
    // Also the one whose answer was an error: it may have been made all the same.
    #expect(state.deleted.count == 2 && !state.deleted.contains(image.id))
  }

  @Test(arguments: [0, 1, 3])
  func `after so many retries it is given up, and every record deleted`(_ retries: Int) async throws
  {
    let sink = FlakySink(Array(repeating: .init(), count: 9))
    await #expect(throws: FlakySink.Failure.self) {
      _ = try await Self.send(over: sink, retries: retries)
    }
    let state = sink.state.withLock { $0 }
    #expect(state.reserved.count == retries + 1)
    #expect(Set(state.deleted) == Set(state.reserved))
  }

  @Test func `what will fail again is not tried again`() async throws {
    let sink = FlakySink([.init(passes: false)])
    await #expect(throws: FlakySink.Failure.self) {
      _ = try await Self.send(over: sink, retries: 4)
    }
    #expect(sink.state.withLock { $0.reserved.count } == 1)
  }

  @Test func `a quota that refuses the second attempt gets the broken image deleted first`()
    async throws
  {
    let sink = FlakySink([.init(), .init(passes: false, quota: 1)])
    let (undo, image) = try await Self.send(over: sink, retries: 1)
    let state = sink.state.withLock { $0 }
    #expect(state.delivered == [image.id] && state.reserved.count == 3)
    #expect(Set(state.deleted) == Set(state.reserved.prefix(2)))
    #expect(undo.pending == [.removeFile(path: "/server")])
  }

  @Test func `a quota that refuses an image of its own is an error`() async throws {
    let sink = FlakySink([.init(), .init(passes: false, quota: 0)])
    await #expect(throws: FlakySink.Failure.self) {
      _ = try await Self.send(over: sink, retries: 4)
    }
    #expect(sink.state.withLock { $0.reserved.count } == 3)
  }

  @Test func `a quota that refuses the first attempt is an error at once`() async throws {
    let sink = FlakySink([.init(passes: false, quota: 0)])
    await #expect(throws: FlakySink.Failure.self) {
      _ = try await Self.send(over: sink, retries: 4)
    }
    #expect(sink.state.withLock { $0.reserved.count } == 1)
  }

  @Test func `what is known later is added before the data, and never over what was typed`()
    async throws
  {
    let sink = FlakySink([.init()])
    let added = ["image_create:mechanism": "backup", "image_create:quiesced": "yes"]
    _ = try await Self.send(
      over: sink, retries: 1, typed: ["image_create:quiesced": "mine"], added: added)
    let state = sink.state.withLock { $0 }
    #expect(state.added == [["image_create:mechanism": "backup"]])
    // The second record is created with everything.
    #expect(
      state.created == [
        ["image_create:quiesced": "mine"],
        ["image_create:mechanism": "backup", "image_create:quiesced": "mine"],
      ])
    #expect(state.delivered.count == 1)
  }

  @Test func `nothing is added if nothing is known`() async throws {
    let sink = FlakySink([])
    _ = try await Self.send(over: sink, retries: 1)
    #expect(sink.state.withLock { $0.added } == [])
  }

  @Test(arguments: [true, false])
  func `a service that cannot take properties gets the image all the same`(_ passes: Bool)
    async throws
  {
    let sink = FlakySink([])
    sink.state.withLock { $0.refusal = .init(passes: passes) }
    _ = try await Self.send(over: sink, retries: 1, added: ["image_create:quiesced": "yes"])
    let state = sink.state.withLock { $0 }
    #expect(state.delivered.count == 1)
    #expect(state.reserved.count == (passes ? 2 : 1))
  }

  @Test func `pauses double up to a minute`() {
    let patience = ImageUpload.Patience(retries: 99)
    let pauses = [1, 2, 3, 5, 6, 7, 60].map { patience.pause(before: $0).components.seconds }
    #expect(pauses == [2, 4, 8, 32, 60, 60, 60])
  }
}
