internal import CLibnbd
internal import Glibc

extension NBDClient {
  /// The most that one block status request may ask for, in bytes: its length has 32 bits.
  public static let extentRequestLimit: UInt64 = 1 << 31

  /// Collects what the callback of one request is told.
  private final class Answer {
    var entries: [UInt32] = []
  }

  /// Asks for the extents of a range (`nbd_aio_block_status`, `base:allocation`).
  ///
  /// A server may answer for less than was asked; ask again from where the answer ends. A server
  /// without extents is said to have data everywhere.
  ///
  /// - Parameter count: 1 to ``extentRequestLimit`` bytes, not past the end of the disk.
  /// - Returns: at least one extent; the first starts at `offset`, each of the others where the one
  ///   before it ends, and none ends after `offset + count`.
  /// - Throws: what libnbd or the server said; `EBADMSG` for an empty answer; `ETIMEDOUT`,
  ///   `ECANCELED`.
  public func extents(at offset: UInt64, count: UInt64) throws(NBDError) -> [NBDExtent] {
    guard reportsExtents else {
      return [NBDExtent(start: offset, length: count, readsAsZeros: false)]
    }
    let answer = try blockStatus(offset, count)
    var extents: [NBDExtent] = []
    var start = offset
    // Pairs of a length and its flags. The last one may reach beyond what was asked for.
    for index in stride(from: 0, to: answer.entries.count - 1, by: 2) {
      let length = min(UInt64(answer.entries[index]), offset + count - start)
      guard length > 0 else { break }
      let isZero = answer.entries[index + 1] & UInt32(LIBNBD_STATE_ZERO) != 0
      extents.append(NBDExtent(start: start, length: length, readsAsZeros: isZero))
      start += length
    }
    guard !extents.isEmpty else {
      throw NBDError(
        operation: "nbd_aio_block_status", object: object(offset, count), errno: EBADMSG,
        message: "the server's answer has no extent")
    }
    return extents
  }

  private func blockStatus(_ offset: UInt64, _ count: UInt64) throws(NBDError) -> Answer {
    let answer = Answer()
    let cookie = try send("nbd_aio_block_status", (offset, count)) { handle in
      // libnbd calls `free` exactly once, also when the request could not be sent.
      let callback = unsafe nbd_extent_callback(
        callback: { answer, context, _, entries, count, _ in
          guard let answer = unsafe answer, let context = unsafe context,
            let entries = unsafe entries,
            unsafe strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) == 0
          else { return 0 }
          let numbers = unsafe UnsafeBufferPointer(start: entries, count: count)
          unsafe Unmanaged<Answer>.fromOpaque(answer).takeUnretainedValue().entries +=
            unsafe numbers
          return 0
        },
        user_data: Unmanaged.passRetained(answer).toOpaque(),
        free: { answer in
          if let answer = unsafe answer { unsafe Unmanaged<Answer>.fromOpaque(answer).release() }
        })
      return unsafe nbd_aio_block_status(
        handle, count, offset, callback, nbd_completion_callback(), 0)
    }
    try wait("nbd_aio_block_status", (offset, count), cookie: cookie)
    return answer
  }
}
