internal import Dispatch

/// Runs calls that block on threads of their own.
///
/// libvirt and libnbd block for as long as the daemon or the guest takes. On the cooperative pool
/// two such calls would stop every other task of a two-core host; libvirt's handles may be used
/// from several threads at once, so nothing has to be serialized here.
enum BlockingCall {
  private static let queue = DispatchQueue(
    label: "image-create.blocking-calls", qos: .userInitiated, attributes: .concurrent)

  /// Runs `body` on such a thread and returns what it returned.
  static func run<Value: Sendable>(
    _ body: @escaping @Sendable () -> Result<Value, LibvirtError>
  ) async throws(LibvirtError) -> Value {
    let result = await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: body()) }
    }
    return try result.get()
  }
}
