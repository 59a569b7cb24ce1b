internal import Libvirt

/// The way to a server for undoing: through the run's own connection, and through a new one where
/// the daemon at its other end has died and another one runs.
actor ServerLink {
  private let server: ServerIdentity
  private var current: Connection?

  /// How long to wait for a daemon that is started again.
  private static let patience = Duration.seconds(20)

  init(_ server: ServerIdentity, over connection: Connection?) {
    self.server = server
    current = connection
  }

  /// A connection that works.
  ///
  /// - Throws: why there is none.
  func connection() async throws(LibvirtError) -> Connection {
    if let current, await current.isAlive() { return current }
    let end = ContinuousClock.now + ServerLink.patience
    while true {
      do {
        let connection = try await Connection.open(uri: server.uri)
        current = connection
        return connection
      } catch {
        guard ContinuousClock.now < end, !Task.isCancelled else { throw error }
      }
      try? await Task.sleep(for: .milliseconds(500))
    }
  }

  /// The server; nil where it is gone.
  func domain() async throws(LibvirtError) -> Domain? {
    try await connection().domain(uuid: server.uuid)
  }

  /// Runs a body, and once more where the daemon died meanwhile.
  func reaching<Value: Sendable>(
    _ body: @Sendable (ServerLink) async throws -> Value
  ) async throws -> Value {
    do {
      return try await body(self)
    } catch let error as LibvirtError {
      if let current, await current.isAlive() { throw error }
      return try await body(self)
    }
  }
}
