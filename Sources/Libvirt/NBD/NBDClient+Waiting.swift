internal import CLibnbd

extension NBDClient {
  /// How long one wait may keep a cancellation from being seen, in milliseconds.
  private static let slice: Int32 = 100

  /// Connects and shakes hands.
  ///
  /// Not `nbd_connect_unix`: that waits without limit for a server that accepts and says nothing.
  @unsafe static func connect(
    _ handle: OpaquePointer, _ export: NBDExport, _ limits: Limits, _ cancellation: NBDCancellation
  ) throws(NBDError) {
    func check(_ status: Int32, _ operation: String) throws(NBDError) {
      guard status == 0 else { throw .last(operation: operation, object: export.description) }
    }
    try check(unsafe nbd_set_export_name(handle, export.name), "nbd_set_export_name")
    try check(
      unsafe nbd_add_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION), "nbd_add_meta_context")
    try check(unsafe nbd_aio_connect_unix(handle, export.socketPath), "nbd_aio_connect_unix")
    try unsafe wait(
      handle, limits.connect, cancellation, "nbd_aio_connect_unix", { export.description }
    ) { handle in
      if unsafe nbd_aio_is_connecting(handle) == 1 { return 0 }
      return unsafe nbd_aio_is_negotiating(handle) == 1 ? 0 : 1
    }
    guard unsafe nbd_aio_is_ready(handle) == 1 else {
      throw .last(operation: "nbd_aio_connect_unix", object: export.description)
    }
  }

  /// Lets libnbd send and receive until `status` is not 0.
  ///
  /// - Parameters:
  ///   - limit: how long nothing may happen on the socket.
  ///   - status: 1 when done, 0 when not, -1 with libnbd's error set.
  @unsafe static func wait(
    _ handle: OpaquePointer, _ limit: Duration, _ cancellation: NBDCancellation,
    _ operation: String, _ object: () -> String, until status: (OpaquePointer) -> Int32
  ) throws(NBDError) {
    var silentSince: ContinuousClock.Instant?
    while true {
      let done = unsafe status(handle)
      if done > 0 { return }
      if done < 0 { throw .last(operation: operation, object: object()) }
      if cancellation.isCancelled { throw .cancelled(operation: operation, object: object()) }
      let events = unsafe nbd_poll(handle, slice)
      if events < 0 { throw .last(operation: operation, object: object()) }
      if events > 0 {
        silentSince = nil
      } else if ContinuousClock.now - (silentSince ?? .now) >= limit {
        throw .timedOut(operation: operation, object: object(), limit: limit)
      } else if silentSince == nil {
        silentSince = .now
      }
    }
  }
}
