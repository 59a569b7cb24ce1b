import Foundation

/// Reads a body ahead of the network, in a bounded way, and hashes it.
///
/// A thread of its own pulls chunks from the reader, hashes them and puts them into a queue of at
/// most ``capacity`` chunks; ``take(upTo:)`` empties it. So disk, hash and network overlap, and the
/// memory is bounded by `(capacity + 2) * chunkSize` for a body of any length.
///
/// `@unchecked Sendable`: every mutable property is read and written under `condition` only. A
/// condition is needed, which a `Mutex` is not, because both sides are threads that must block.
final class BodyPump: @unchecked Sendable {
  enum Taken {
    case bytes(Data)
    case end
    /// Why is in ``failure``.
    case failed
  }

  static let chunkSize = 1 << 20
  static let capacity = 4

  private let body: any ImageBody
  private let algorithm: HashAlgorithm
  private let progress: @Sendable (Int64) -> Void
  private let condition = NSCondition()
  private var chunks: [Data] = []
  private var head = Data()
  private var taken: Int64 = 0
  private var readAndHashed: Receipt?
  private var error: (any Error)?
  private var isStopped = false
  private var isProducing = false
  private var isWaitingForReader = false
  private var lastTake = ContinuousClock.now
  private var onProducerEnd: [CheckedContinuation<Void, Never>] = []

  init(
    body: any ImageBody, hash algorithm: HashAlgorithm = .sha512,
    progress: @escaping @Sendable (Int64) -> Void
  ) {
    self.body = body
    self.algorithm = algorithm
    self.progress = progress
  }

  /// Starts to read.
  func start() {
    condition.withLock {
      isProducing = true
      lastTake = .now
    }
    let thread = Thread { [self] in produce() }
    thread.name = "image body"
    thread.start()
  }

  /// Makes every ``take(upTo:)`` fail, now and later, and the reading thread end after its read.
  func stop() {
    condition.withLock {
      isStopped = true
      chunks = []
      head = Data()
      condition.broadcast()
    }
  }

  /// Returns when the reader is closed. Call ``stop()`` before, unless the end was taken.
  func producerEnded() async {
    await withCheckedContinuation { continuation in
      let isRunning = condition.withLock {
        if isProducing { onProducerEnd.append(continuation) }
        return isProducing
      }
      if !isRunning { continuation.resume() }
    }
  }

  /// The same for a thread that may block.
  func waitForProducer() {
    condition.withLock {
      while isProducing { condition.wait() }
    }
  }

  /// What the reader threw.
  var failure: (any Error)? { condition.withLock { error } }

  /// The number of bytes taken so far.
  var takenByteCount: Int64 { condition.withLock { taken } }

  /// Length and hash, once everything was read *and* taken.
  var receipt: Receipt? {
    condition.withLock { readAndHashed?.byteCount == taken ? readAndHashed : nil }
  }

  /// How long bytes have been there that nobody took: the network's idle time, not the disk's.
  var stalledFor: Duration {
    condition.withLock {
      isWaitingForReader || readAndHashed?.byteCount == taken ? .zero : .now - lastTake
    }
  }

  /// Blocks until there are bytes, the end, or a failure.
  func take(upTo limit: Int) -> Taken {
    let result = condition.withLock { next(upTo: limit) }
    if case .bytes = result { progress(takenByteCount) }
    return result
  }

  private func next(upTo limit: Int) -> Taken {
    while head.isEmpty {
      if isStopped { return .failed }
      if !chunks.isEmpty {
        head = chunks.removeFirst()
        condition.broadcast()
      } else if error != nil {
        return .failed
      } else if readAndHashed != nil {
        return .end
      } else {
        isWaitingForReader = true
        condition.wait()
        isWaitingForReader = false
      }
    }
    // A slice shares the chunk's memory: nothing is copied here.
    let piece = head.prefix(limit)
    head = head.dropFirst(limit)
    taken += Int64(piece.count)
    lastTake = .now
    return .bytes(piece)
  }

  private func produce() {
    let outcome = Result { try readAll() }
    let waiting = condition.withLock {
      switch outcome {
      case .success(let receipt): readAndHashed = receipt
      case .failure(let thrown): error = thrown
      }
      isProducing = false
      condition.broadcast()
      defer { onProducerEnd = [] }
      return onProducerEnd
    }
    for continuation in waiting { continuation.resume() }
  }

  private func readAll() throws -> Receipt? {
    let reader = try body.makeReader()
    defer { reader.close() }
    var hash = ImageHash(algorithm, expected: body.byteCount)
    while let data = try reader.read(upTo: Self.chunkSize) {
      try hash.update(data)
      guard put(data) else { return nil }
    }
    return try hash.receipt()
  }

  /// Blocks while the queue is full; false if nobody wants more.
  private func put(_ data: Data) -> Bool {
    condition.withLock {
      while chunks.count >= Self.capacity && !isStopped { condition.wait() }
      guard !isStopped else { return false }
      chunks.append(data)
      condition.broadcast()
      return true
    }
  }
}
