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
  /// - Parameters:
  ///   - object: what the call is about beside the domain, for example a disk's target.
  ///   - limit: how long to wait for its answer.
  @safe @discardableResult
  func call(
    _ operation: String, about object: String? = nil,
    within limit: Duration = LibvirtError.usualLimit,
    _ body: @escaping @Sendable (virDomainPtr) -> Int32
  ) async throws(LibvirtError) -> Int32 {
    try await value(operation, about: object, within: limit) { domain in
      let status = unsafe body(domain)
      return status >= 0 ? status : nil
    }
  }

  /// Makes a call that gives nil on failure, on a thread where it may block.
  @safe func value<Value: Sendable>(
    _ operation: String, about object: String? = nil,
    within limit: Duration = LibvirtError.usualLimit,
    _ body: @escaping @Sendable (virDomainPtr) -> Value?
  ) async throws(LibvirtError) -> Value {
    try await BlockingCall.run(
      within: limit,
      orThrow: { [self] in .noAnswer(operation: operation, object: label(object), limit) }
    ) { [self] () throws(LibvirtError) in
      guard let value = unsafe body(pointer) else {
        throw .last(operation: operation, object: label(object))
      }
      return value
    }
  }

  private func label(_ object: String?) -> String {
    object.map { "\($0) of server '\(name)'" } ?? "server '\(name)'"
  }
}
