internal import Foundation
internal import Logging

/// The way of one image's data into the image service, tried again while the point in time is open.
struct ImageUpload: Sendable {
  /// How often, and after how long, a failed upload is begun again.
  struct Patience: Sendable {
    /// How many more times.
    let retries: Int
    /// How long before the first of them; each further one waits twice as long, to a minute.
    var firstPause = Duration.seconds(2)

    /// How long to wait before a retry, the first being 1.
    func pause(before retry: Int) -> Duration {
      min(firstPause * (1 << min(retry - 1, 16)), .seconds(60))
    }
  }

  /// The image as it was reserved last.
  private(set) var image: ImageDescription
  /// Properties that the first record lacks.
  private var added: [String: String] = [:]
  private let sink: any ImageSink
  private let undo: UndoStack
  private let patience: Patience
  private let log: Logger
  /// The undo of the first record; the others are put below it.
  private var first: UndoStack.Mark?
  /// The undo of each record that was not deleted yet; the last is the one that is sent to now.
  private var records: [UndoStack.Mark] = []

  init(
    _ image: ImageDescription, to sink: any ImageSink, undo: UndoStack, patience: Patience,
    log: Logger
  ) {
    self.image = image
    self.sink = sink
    self.undo = undo
    self.patience = patience
    self.log = log
  }

  /// Creates the image's record, without data.
  mutating func reserve() async throws {
    let record = try await undo.push(.deleteImage(id: image.id))
    first = record
    records = [record]
    try await createRecord()
  }

  private func createRecord() async throws {
    try await sink.reserve(image)
    try Task.checkCancellation()
  }

  /// Takes properties that were not known when the record was created. What the image has already, the
  /// user has typed.
  mutating func record(_ properties: [String: String]) {
    added = properties.filter { image.properties[$0.key] == nil }
    image.properties.merge(properties) { typed, _ in typed }
  }

  /// Sends the data until the service has it whole and verified, or has failed too often. The image
  /// is still deleted by the undo stack until ``keep()``.
  ///
  /// - Parameter progress: told the bytes sent; starts from 0 again with each attempt.
  mutating func send(_ data: ImageData, progress: @escaping @Sendable (Int64) -> Void) async throws
  {
    var failures = 0
    while true {
      do {
        if failures > 0 { try await replaceRecord() } else { try await describe() }
        try await sink.deliver(image.id, data, progress: progress)
        return
      } catch {
        if failures > 0, sink.isQuotaRefusal(error), try await deleteRecords() {
          log.warning("a quota refuses another image; the broken ones are deleted first")
          progress(0)
          continue
        }
        guard failures < patience.retries, let reason = sink.passingReason(of: error) else {
          throw error
        }
        failures += 1
        let pause = patience.pause(before: failures)
        log.warning(
          """
          \(reason); the upload begins again from the first byte in \
          \(pause.components.seconds) s (\(failures) of \(patience.retries))
          """)
        try await Task.sleep(for: pause)
        progress(0)
      }
    }
  }

  /// Adds the properties to the first record; further ones are created with them.
  ///
  /// A service that refuses a label for good still gets the image: the label is worth less.
  private mutating func describe() async throws {
    guard !added.isEmpty else { return }
    do {
      try await sink.describe(image.id, added)
    } catch {
      if Task.isCancelled || sink.passingReason(of: error) != nil { throw error }
      // Further records are created without them, too.
      dropLabels(because: error)
    }
  }

  /// Takes the image for good.
  func keep() async {
    if let record = records.last { await undo.forget(record) }
  }

  /// Glance takes no second body for a record whose first one broke off, and holds it in `saving`
  /// for a while: the next attempt is an image of its own.
  ///
  /// What is deleted in the end is deleted after the server was put back, which must not wait for
  /// an image service that is in trouble; nor must a cancellation.
  private mutating func replaceRecord() async throws {
    guard let first else { return }
    image.id = UUID()
    records.append(try await undo.push(.deleteImage(id: image.id), below: first))
    do {
      try await createRecord()
    } catch {
      // The image is worth more than what is said of it.
      guard !Task.isCancelled, sink.passingReason(of: error) == nil, !sink.isQuotaRefusal(error),
        added.keys.contains(where: { image.properties[$0] != nil })
      else { throw error }
      dropLabels(because: error)
      try await createRecord()
    }
  }

  private mutating func dropLabels(because error: any Error) {
    for key in added.keys { image.properties[key] = nil }
    log.warning("could not record how the image was taken (\(Provenance.prefix)*): \(error)")
  }

  /// Deletes what earlier attempts left, which counts against the project's quota as the image does.
  ///
  /// - Returns: false if there was nothing left of them, or it could not be deleted.
  private mutating func deleteRecords() async throws -> Bool {
    guard records.count > 1 else { return false }
    for record in records {
      do {
        try await undo.undo(record)
      } catch {
        // It stays on the stack; the quota's refusal is what the user must hear of.
        return false
      }
    }
    records = []
    try Task.checkCancellation()
    return true
  }
}
