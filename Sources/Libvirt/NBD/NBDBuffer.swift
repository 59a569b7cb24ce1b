internal import Foundation
internal import Synchronization

/// Memory that libnbd fills; freed when nobody needs it any more.
///
/// Written to by libnbd only, while the request it belongs to is in flight; read after that.
@safe final class NBDBuffer: Sendable {
  nonisolated(unsafe) let memory: UnsafeMutableRawPointer
  let capacity: Int

  init(capacity: Int) {
    unsafe memory = .allocate(byteCount: capacity, alignment: 4096)
    self.capacity = capacity
  }

  deinit {
    unsafe memory.deallocate()
  }

  /// The first `count` bytes, without a copy. When the last reference to them goes, the buffer
  /// returns to `pool`.
  func data(_ count: Int, returningTo pool: NBDBufferPool) -> Data {
    // The closure is what keeps the buffer.
    unsafe Data(
      bytesNoCopy: memory, count: count, deallocator: .custom { _, _ in pool.giveBack(self) })
  }
}

/// Keeps the memory of finished reads for the next ones: faulting in fresh pages costs about as
/// much as copying the bytes.
final class NBDBufferPool: Sendable {
  /// The capacity of a buffer that is kept, in bytes; larger ones are made and freed each time.
  private static let capacity = 512 << 10
  /// How many are kept at most. What is in use is bounded by whoever reads ahead.
  private static let limit = 16

  private let free = Mutex<[NBDBuffer]>([])

  /// A buffer for at least `count` bytes, whatever is in it.
  func take(_ count: Int) -> NBDBuffer {
    guard count <= NBDBufferPool.capacity else { return NBDBuffer(capacity: count) }
    return free.withLock { $0.popLast() } ?? NBDBuffer(capacity: NBDBufferPool.capacity)
  }

  func giveBack(_ buffer: NBDBuffer) {
    guard buffer.capacity == NBDBufferPool.capacity else { return }
    free.withLock { free in
      if free.count < NBDBufferPool.limit { free.append(buffer) }
    }
  }
}
