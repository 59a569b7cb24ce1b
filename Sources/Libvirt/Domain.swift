internal import CLibvirt

/// A libvirt domain: one reference to it, given back when the object goes.
@safe public final class Domain: Sendable {
  /// The connection it was found on.
  public let connection: Connection
  /// Its name when it was looked up.
  public let name: String
  /// Its UUID in the usual form with hyphens.
  public let uuid: String
  // Set once and only handed to libvirt, which locks it itself.
  nonisolated(unsafe) private let pointer: virDomainPtr

  init(connection: Connection, pointer: virDomainPtr) {
    self.connection = connection
    unsafe self.pointer = unsafe pointer
    name = unsafe virDomainGetName(pointer).map { unsafe String(cString: $0) } ?? ""
    var text = [CChar](repeating: 0, count: Int(VIR_UUID_STRING_BUFLEN))
    unsafe virDomainGetUUIDString(pointer, &text)
    uuid = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit {
    unsafe virDomainFree(pointer)
  }

  /// Makes a call that returns a negative number on failure, on a thread where it may block.
  ///
  /// - Parameter object: what the call is about beside the domain, for example a disk's target.
  @safe @discardableResult
  func call(
    _ operation: String, about object: String? = nil,
    _ body: @escaping @Sendable (virDomainPtr) -> Int32
  ) async throws(LibvirtError) -> Int32 {
    try await BlockingCall.run { [self] in
      let status = unsafe body(pointer)
      if status >= 0 { return .success(status) }
      return .failure(.last(operation: operation, object: label(object)))
    }
  }

  /// Makes a call that gives nil on failure, on a thread where it may block.
  @safe func value<Value: Sendable>(
    _ operation: String, about object: String? = nil,
    _ body: @escaping @Sendable (virDomainPtr) -> Value?
  ) async throws(LibvirtError) -> Value {
    try await BlockingCall.run { [self] in
      if let value = unsafe body(pointer) { return .success(value) }
      return .failure(.last(operation: operation, object: label(object)))
    }
  }

  private func label(_ object: String?) -> String {
    object.map { "\($0) of server '\(name)'" } ?? "server '\(name)'"
  }
}
