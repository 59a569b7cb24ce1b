import FlyingSocks
import Foundation
import Synchronization
import Testing

/// An HTTP server on loopback that follows a script, and can break every rule of HTTP.
final class StubServer: Sendable {
  let url: String
  private let listener: AsyncSocket
  private let steps: Mutex<[Step]>
  private let seen = Mutex<[SeenRequest]>([])
  private let handlers = Mutex<[Task<Void, Never>]>([])

  private init(_ script: [Step], pool: some AsyncSocketPool) throws {
    let socket = try Socket(domain: Int32(sockaddr_in.family))
    try socket.setValue(true, for: .localAddressReuse)
    try socket.bind(to: .inet(ip4: "127.0.0.1", port: 0))
    try socket.listen()
    guard case .ip4(_, let port) = try socket.sockname() else { throw SocketError.disconnected }
    url = "http://127.0.0.1:\(port)"
    listener = try AsyncSocket(socket: socket, pool: pool)
    steps = Mutex(script)
  }

  /// Runs `work` against a server with this script.
  ///
  /// - Returns: the requests in the order in which they ended. A step that no request asked for
  ///   fails the test (save the last one, where its connection may break off before the request
  ///   was read), as does a request that no step is for.
  @discardableResult
  static func run(
    _ script: [Step], lastMayBreakOff: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ work: (StubServer) async throws -> Void
  ) async throws -> [SeenRequest] {
    let pool = SocketPool.ePoll()
    try await pool.prepare()
    let running = Task { try await pool.run() }
    defer { running.cancel() }
    let server = try StubServer(script, pool: pool)
    let accepting = Task { await server.accept() }
    do {
      try await work(server)
    } catch {
      accepting.cancel()
      throw error
    }
    accepting.cancel()
    await accepting.value
    for handler in server.handlers.withLock({ $0 }) { await handler.value }
    try server.listener.close()
    let left = server.steps.withLock { $0.map { "\($0.method) \($0.path)" } }
    #expect(
      left.count <= (lastMayBreakOff ? 1 : 0), "\(left) never came", sourceLocation: sourceLocation)
    return server.seen.withLock { $0 }
  }

  /// How many steps no request has asked for yet.
  var openStepCount: Int { steps.withLock { $0.count } }

  private func accept() async {
    while let socket = try? await listener.accept() {
      let handler = Task { [self] in
        let connection = StubConnection(socket)
        if let request = try? await serve(connection) { seen.withLock { $0.append(request) } }
        try? socket.close()
      }
      handlers.withLock { $0.append(handler) }
    }
  }

  private func serve(_ connection: StubConnection) async throws -> SeenRequest {
    let head = try await connection.readHead()
    let reply = nextReply(for: head)
    switch reply {
    case .answer(let status, let headers, let body):
      try await connection.continueIfAsked()
      try await connection.readBody()
      try? await connection.answer(status, headers, body)
    case .early(let status, let limit, let headers, let body):
      if limit > 0 {
        try await connection.continueIfAsked()
        try await connection.readBody(upTo: limit)
      }
      try? await connection.answer(status, headers, body)
      try await connection.readBody()
    case .hangUp(let limit):
      try await connection.continueIfAsked()
      try await connection.readBody(upTo: limit ?? .max)
    case .silence:
      try await connection.continueIfAsked()
      try await connection.readBody()
      await connection.waitForClose()
    case .stall(let limit):
      try await connection.continueIfAsked()
      try await connection.readBody(upTo: limit)
      try await Task.sleep(for: .seconds(5))
    case .raw(let bytes):
      try await connection.continueIfAsked()
      try await connection.readBody()
      try? await connection.write(bytes)
    case .bytes(let bytes):
      try await connection.readBody()
      try? await connection.write(bytes)
    case .endless(let start, let again, let pause):
      try await connection.readBody()
      try? await connection.writeEndlessly(start, again, pause)
    case .flood(let count):
      try await connection.readBody()
      try? await connection.flood(count)
    case .token(let name, let lifetime):
      try await connection.readBody()
      let issued = Date(timeIntervalSince1970: 1_700_000_000)
      let json = Fixture.token(glance: url, issued: issued, lifetime: lifetime)
      try await connection.answer(
        201, ["Content-Type": "application/json", "X-Subject-Token": name], json)
    }
    return connection.request
  }

  private func nextReply(for head: SeenRequest) -> Reply {
    let step = steps.withLock { steps in
      let isExpected = steps.first.map { $0.method == head.method && $0.path == head.path }
      return isExpected == true ? steps.removeFirst() : nil
    }
    if step == nil { Issue.record("The script has no \(head.line) here.") }
    return step?.reply ?? .answer(599, "not in the script")
  }
}
