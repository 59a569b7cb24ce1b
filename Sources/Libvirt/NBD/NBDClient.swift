internal import CLibnbd
public import Foundation

/// A connection to an NBD export: its size, its extents, and reads of which several may be in
/// flight.
///
/// Every call blocks; all calls, `deinit` included, belong to one thread at a time. Every wait ends
/// after ``Limits/idle`` without a sign of the server, or at once when the cancellation is used.
@safe public final class NBDClient {
  /// How long to wait for what.
  public struct Limits: Sendable {
    /// For the connection and its handshake.
    public var connect: Duration
    /// For the next sign of life while requests are in flight.
    public var idle: Duration

    /// Makes limits.
    public init(connect: Duration = .seconds(20), idle: Duration = .seconds(60)) {
      self.connect = connect
      self.idle = idle
    }
  }

  /// A read in flight. Its memory belongs to libnbd until the request is retired.
  private struct Request {
    let cookie: UInt64
    let offset: UInt64
    let count: Int
    let buffer: NBDBuffer
  }

  /// What this is connected to.
  public let export: NBDExport
  /// The size of the disk in bytes.
  public let size: UInt64
  /// Whether the server reports extents (`base:allocation`).
  public let reportsExtents: Bool
  /// Whether the server takes several connections for one export (`nbd_can_multi_conn`).
  public let allowsSeveralConnections: Bool
  let limits: Limits
  let cancellation: NBDCancellation
  private let handle: OpaquePointer
  private let buffers = NBDBufferPool()
  private var requests: [Request] = []

  /// How many reads are in flight or done and not yet taken.
  public var pendingReads: Int { requests.count }

  /// Connects over a unix socket (`nbd_aio_connect_unix`), with structured replies and
  /// `base:allocation` where the server has them.
  ///
  /// - Throws: what libnbd said; `ETIMEDOUT`, `ECANCELED`.
  public init(
    _ export: NBDExport, limits: Limits = Limits(), cancellation: NBDCancellation = .init()
  ) throws(NBDError) {
    guard let handle = unsafe nbd_create() else {
      throw .last(operation: "nbd_create", object: export.description)
    }
    do throws(NBDError) {
      try unsafe NBDClient.connect(handle, export, limits, cancellation)
      let size = unsafe nbd_get_size(handle)
      guard size >= 0 else {
        throw .last(operation: "nbd_get_size", object: export.description)
      }
      self.size = UInt64(size)
    } catch {
      unsafe nbd_close(handle)
      throw error
    }
    reportsExtents = unsafe nbd_can_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1
    allowsSeveralConnections = unsafe nbd_can_multi_conn(handle) == 1
    self.export = export
    self.limits = limits
    self.cancellation = cancellation
    unsafe self.handle = unsafe handle
  }

  /// The order matters: libnbd may write into a request's memory until the handle is closed, and
  /// `requests`, which owns that memory, goes after this.
  deinit {
    unsafe nbd_close(handle)
  }

  /// Sends a read and returns (`nbd_aio_pread`); ``nextRead()`` hands on what it brought.
  ///
  /// - Parameter count: at least 1 byte; servers take at least 32 MiB.
  public func submitRead(at offset: UInt64, count: Int) throws(NBDError) {
    let buffer = buffers.take(count)
    let cookie = unsafe nbd_aio_pread(
      handle, buffer.memory, count, offset, nbd_completion_callback(), 0)
    guard cookie > 0 else {
      throw .last(operation: "nbd_aio_pread", object: object(offset, UInt64(count)))
    }
    requests.append(
      Request(cookie: UInt64(cookie), offset: offset, count: count, buffer: buffer))
  }

  /// Waits for the oldest read: reads are taken in the order they were sent.
  ///
  /// - Returns: all the bytes asked for, without a copy; nil if no read is pending.
  /// - Throws: what libnbd or the server said; `ETIMEDOUT`, `ECANCELED`. The client is of no use
  ///   then.
  public func nextRead() throws(NBDError) -> Data? {
    guard let request = requests.first else { return nil }
    try wait("nbd_aio_pread", (request.offset, UInt64(request.count)), cookie: request.cookie)
    requests.removeFirst()
    return request.buffer.data(request.count, returningTo: buffers)
  }

  /// Drives the connection until the request is done.
  func wait(
    _ operation: String, _ range: (offset: UInt64, count: UInt64), cookie: UInt64
  ) throws(NBDError) {
    try unsafe NBDClient.wait(
      handle, limits.idle, cancellation, operation, { self.object(range.offset, range.count) }
    ) { unsafe nbd_aio_command_completed($0, cookie) }
  }

  /// Gives the connection to a call that sends one request and returns its cookie.
  @safe func send(
    _ operation: String, _ range: (offset: UInt64, count: UInt64),
    _ body: (OpaquePointer) -> Int64
  ) throws(NBDError) -> UInt64 {
    let cookie = unsafe body(handle)
    guard cookie > 0 else {
      throw .last(operation: operation, object: object(range.offset, range.count))
    }
    return UInt64(cookie)
  }

  func object(_ offset: UInt64, _ count: UInt64) -> String {
    "bytes \(offset)..<\(offset + count) of \(export)"
  }
}
