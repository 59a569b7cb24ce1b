import Foundation

/// The stream URLSession reads a request body from; it takes its bytes from a ``BodyPump``.
///
/// This is the only file of the library with unsafe expressions: `InputStream` hands out a raw
/// pointer to fill. URLSession reads on one queue of its own and may be blocked there.
final class PulledBodyStream: InputStream {
  private let pump: BodyPump
  private var status = Status.notOpen

  init(pump: BodyPump) {
    self.pump = pump
    super.init(data: Data())
  }

  override func open() { status = .open }

  override func close() { status = .closed }

  override var streamStatus: Status { status }

  override var streamError: (any Error)? { nil }

  /// True until the end was read: a failure must reach ``read(_:maxLength:)``, since URLSession
  /// takes "nothing available" for the end of the body.
  override var hasBytesAvailable: Bool { status != .atEnd }

  override func read(_ buffer: UnsafeMutablePointer<UInt8>, maxLength length: Int) -> Int {
    switch pump.take(upTo: length) {
    case .bytes(let data):
      unsafe data.copyBytes(to: buffer, count: data.count)
      return data.count
    case .end:
      status = .atEnd
      return 0
    case .failed:
      // URLSession aborts the connection; the body is never ended as if it were complete.
      return -1
    }
  }

  override func getBuffer(
    _ buffer: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>,
    length: UnsafeMutablePointer<Int>
  ) -> Bool { false }
}
