internal import CLibvirt
internal import Dispatch
internal import Glibc

/// libvirt's event loop, on a thread of its own for the life of the process. Without one, connections
/// tell of no events.
enum EventLoop {
  /// Starts it, once; must come before a connection is opened.
  static func start() { _ = isRunning }

  private static let isRunning: Bool = {
    guard virEventRegisterDefaultImpl() == 0 else { return false }
    // A serial queue's work has a thread of its own; this never ends.
    DispatchQueue(label: "image-create.libvirt-events", qos: .utility).async {
      while true {
        if virEventRunDefaultImpl() < 0 { usleep(100_000) }
      }
    }
    return true
  }()

  /// Returns when every event that had arrived is handed on.
  ///
  /// The loop handles its timers in the order of their registration, and a connection registers the
  /// one that hands its events on when its first callback is registered.
  static func settle() async {
    guard isRunning else { return }
    await withCheckedContinuation { continuation in
      let timer = Timer(continuation)
      let opaque = unsafe Unmanaged.passRetained(timer).toOpaque()
      let number = unsafe virEventAddTimeout(
        0,
        { number, opaque in
          guard let opaque = unsafe opaque else { return }
          virEventRemoveTimeout(number)
          unsafe Unmanaged<Timer>.fromOpaque(opaque).takeUnretainedValue().continuation.resume()
        }, opaque,
        { if let opaque = unsafe $0 { unsafe Unmanaged<Timer>.fromOpaque(opaque).release() } })
      if number < 0 {
        continuation.resume()
        unsafe Unmanaged<Timer>.fromOpaque(opaque).release()
      }
    }
  }

  private final class Timer: Sendable {
    let continuation: CheckedContinuation<Void, Never>
    init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }
  }
}
