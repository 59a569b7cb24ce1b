internal import CLibvirt
internal import Glibc
internal import Synchronization

/// An open connection to a libvirt daemon; closed when the last reference goes.
///
/// Every call blocks a thread of its own, never the caller's. libvirt's connections are safe for
/// use from several threads (libvirt, "Thread safety").
@safe public final class Connection: Sendable {
  /// The URI asked for, for messages.
  public let uri: String
  /// The sockets of this host that opening it connected to: the daemon's, if it is one of this host.
  package let peers: [SocketPeer]
  // Set once and only handed to libvirt, which locks it itself.
  nonisolated(unsafe) private let pointer: virConnectPtr

  private let backupBegins = Mutex(0)

  private init(uri: String, pointer: virConnectPtr, peers: [SocketPeer]) {
    self.uri = uri
    self.peers = peers
    unsafe self.pointer = unsafe pointer
  }

  deinit {
    unsafe virConnectClose(pointer)
  }

  /// Whether a backup job was begun over this connection and the daemon has not answered yet, even if
  /// the caller waits no longer: the job may still come.
  public var isBeginningBackup: Bool { backupBegins.withLock { $0 > 0 } }

  func noteBackupBegin(_ change: Int) { backupBegins.withLock { $0 += change } }

  /// Opens a connection (`virConnectOpen`).
  ///
  /// - Throws: what libvirt said; the object is the URI.
  public static func open(uri: String) async throws(LibvirtError) -> Connection {
    try await BlockingCall.run(
      within: LibvirtError.usualLimit,
      orThrow: { .noAnswer(operation: "virConnectOpen", object: uri, LibvirtError.usualLimit) }
    ) { () throws(LibvirtError) in
      virInitialize()
      // Without a handler of its own libvirt prints every error to stderr.
      unsafe virSetErrorFunc(nil) { _, _ in }
      EventLoop.start()
      let known = Set(SocketPeer.all().keys)
      guard let pointer = unsafe virConnectOpen(uri) else {
        throw .last(operation: "virConnectOpen", object: uri)
      }
      let peers = SocketPeer.all().filter { !known.contains($0.key) }.map(\.value)
      return unsafe Connection(uri: uri, pointer: pointer, peers: peers)
    }
  }

  /// The name of the host that the daemon runs on (`virConnectGetHostname`).
  package func hostname() async throws(LibvirtError) -> String {
    try await call("virConnectGetHostname") { connection in
      guard let text = unsafe virConnectGetHostname(connection) else { return nil }
      defer { unsafe free(text) }
      return unsafe String(cString: text)
    }
  }

  /// Whether the daemon finds a file under this path that is no saved memory
  /// (`virDomainSaveImageGetXMLDesc`); nil if it can't say.
  ///
  /// The call is meant for something else. It is the one way to make a daemon open a path of ours.
  package func finds(file path: String) async throws(LibvirtError) -> Bool? {
    do {
      _ = try await call("virDomainSaveImageGetXMLDesc") { connection -> Bool? in
        guard let text = unsafe virDomainSaveImageGetXMLDesc(connection, path, 0) else {
          return nil
        }
        unsafe free(text)
        return true
      }
      return nil
    } catch {
      switch error.code {
      case .operationFailed: return true
      case .systemError: return false
      case .noSupport: return nil
      default: throw error
      }
    }
  }

  /// Whether the daemon at the other end is still the one that was reached (`virConnectIsAlive`).
  public func isAlive() async -> Bool {
    (try? await call("virConnectIsAlive") { unsafe virConnectIsAlive($0) == 1 }) ?? false
  }

  /// The hypervisor driver: `QEMU`, `LXC`, `TEST` … (`virConnectGetType`).
  public func hypervisorType() async throws(LibvirtError) -> String {
    try await call("virConnectGetType") { connection in
      unsafe virConnectGetType(connection).map { unsafe String(cString: $0) }
    }
  }

  /// The hypervisor's version (`virConnectGetVersion`); 0.0.0 where the driver does not say.
  public func hypervisorVersion() async throws(LibvirtError) -> Version {
    try await version("virConnectGetVersion") { unsafe virConnectGetVersion($0, $1) }
  }

  /// The *daemon's* libvirt version (`virConnectGetLibVersion`), not the client library's.
  public func daemonVersion() async throws(LibvirtError) -> Version {
    try await version("virConnectGetLibVersion") { unsafe virConnectGetLibVersion($0, $1) }
  }

  /// Every domain, running or not, as name and UUID (`virConnectListAllDomains`).
  public func domains() async throws(LibvirtError) -> [Domain] { try await domains(flags: 0) }

  /// Every domain that has a process (`virConnectListAllDomains`).
  package func activeDomains() async throws(LibvirtError) -> [Domain] {
    try await domains(flags: VIR_CONNECT_LIST_DOMAINS_ACTIVE.rawValue)
  }

  private func domains(flags: UInt32) async throws(LibvirtError) -> [Domain] {
    try await call("virConnectListAllDomains") { [self] connection -> [Domain]? in
      var list: UnsafeMutablePointer<virDomainPtr?>?
      let count = unsafe virConnectListAllDomains(connection, &list, flags)
      guard count >= 0, let entries = unsafe list else { return nil }
      var found: [Domain] = []
      for index in 0..<Int(count) {
        if let pointer = unsafe entries[index] {
          found.append(unsafe Domain(connection: self, pointer: pointer))
        }
      }
      // The array is the caller's, allocated with malloc.
      unsafe free(entries)
      return found
    }
  }

  /// The domain with this UUID (`virDomainLookupByUUIDString`); nil if there is none.
  public func domain(uuid: String) async throws(LibvirtError) -> Domain? {
    try await lookup("virDomainLookupByUUIDString", uuid) {
      unsafe virDomainLookupByUUIDString($0, uuid)
    }
  }

  /// The domain with this name (`virDomainLookupByName`); nil if there is none.
  public func domain(name: String) async throws(LibvirtError) -> Domain? {
    try await lookup("virDomainLookupByName", name) { unsafe virDomainLookupByName($0, name) }
  }

  /// The running domain with this id (`virDomainLookupByID`); nil if there is none.
  public func domain(id: Int32) async throws(LibvirtError) -> Domain? {
    try await lookup("virDomainLookupByID", "\(id)") { unsafe virDomainLookupByID($0, id) }
  }

  /// Defines a domain, or redefines the one with the XML's UUID (`virDomainDefineXML`, which daemons
  /// older than 1.2.12 have, too).
  ///
  /// - Parameter xml: an inactive, secure domain XML.
  @discardableResult
  public func define(xml: String) async throws(LibvirtError) -> Domain {
    try await call("virDomainDefineXML") { [self] connection in
      unsafe virDomainDefineXML(connection, xml).map {
        unsafe Domain(connection: self, pointer: $0)
      }
    }
  }

  @safe private func lookup(
    _ operation: String, _ object: String,
    _ body: @escaping @Sendable (virConnectPtr) -> virDomainPtr?
  ) async throws(LibvirtError) -> Domain? {
    try await BlockingCall.run(
      within: LibvirtError.usualLimit,
      orThrow: { .noAnswer(operation: operation, object: object, LibvirtError.usualLimit) }
    ) { [self] () throws(LibvirtError) -> Domain? in
      if let found = unsafe body(pointer) {
        return unsafe Domain(connection: self, pointer: found)
      }
      let error = LibvirtError.last(operation: operation, object: object)
      guard error.code == .noDomain else { throw error }
      return nil
    }
  }

  /// Makes a call that gives nil on failure, on a thread where it may block.
  @safe func call<Value: Sendable>(
    _ operation: String, _ body: @escaping @Sendable (virConnectPtr) -> Value?
  ) async throws(LibvirtError) -> Value {
    try await BlockingCall.run(
      within: LibvirtError.usualLimit,
      orThrow: { [self] in
        .noAnswer(operation: operation, object: uri, LibvirtError.usualLimit)
      }
    ) { [self] () throws(LibvirtError) in
      guard let value = unsafe body(pointer) else {
        throw .last(operation: operation, object: uri)
      }
      return value
    }
  }

  @safe private func version(
    _ operation: String,
    _ body: @escaping @Sendable (virConnectPtr, UnsafeMutablePointer<UInt>) -> Int32
  ) async throws(LibvirtError) -> Version {
    try await call(operation) { connection in
      var number: UInt = 0
      return unsafe body(connection, &number) == 0 ? Version(libvirt: number) : nil
    }
  }
}
