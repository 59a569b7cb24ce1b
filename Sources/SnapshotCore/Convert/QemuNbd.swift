internal import Foundation
internal import Glibc
internal import Libvirt
internal import Synchronization

/// Offers files of this host over NBD with `qemu-nbd --read-only`, so that a disk which no running
/// QEMU offers is read as one that does.
///
/// The server ends with its last client. We stay connected as long as it is needed: once connected,
/// the server ends however this process ends. One that was started and never connected to, because
/// this process was killed in between, is ended by recovery (``UndoAction/endPrograms(folder:)``).
struct QemuNbd: Sendable {
  /// How long it may take to end after its last client has gone.
  private static let endLimit = Duration.seconds(10)

  /// Runs a body while the disk is served.
  ///
  /// - Parameters:
  ///   - workspace: where the socket and the server's own files go.
  ///   - cancellation: ends the wait for the connection.
  /// - Throws: `unreadableDisk` where the disk can't be served; what the body throws.
  func serve(
    _ source: StorageNode, in workspace: Workspace, cancellation: NBDCancellation,
    _ body: (NBDExport) async throws -> Void
  ) async throws {
    let export = NBDExport(socketPath: workspace.path("disk.sock"))
    let server = Server(processFile: workspace.path("qemu-nbd.pid"))
    do {
      try await start(source, export, server, complaints: workspace.path("qemu-nbd.log"))
      let keeper = try await BlockingCall.run { () throws(SnapshotError) in
        try Keeper(export, cancellation)
      }
      defer { keeper.leave() }
      try await body(export)
      keeper.leave()
      try await server.end(within: QemuNbd.endLimit, of: source)
    } catch {
      // One that was just starting may not have said its number yet.
      if Task.isCancelled { await server.waitForNumber() }
      server.send(SIGTERM)
      try await server.end(within: QemuNbd.endLimit, of: source)
      throw error
    }
  }

  private func start(
    _ source: StorageNode, _ export: NBDExport, _ server: Server, complaints: String
  ) async throws(SnapshotError) {
    do {
      try await HostProgram.qemuNbd.leaveBehind(
        [
          "--fork", "--read-only", "--shared=8", "--socket=\(export.socketPath)",
          "--pid-file=\(server.processFile)", source.qemuName,
        ], about: source.label, complaints: complaints)
    } catch let error where error.code == .programFailed && error.cause is ProgramExit {
      throw SnapshotError(
        .unreadableDisk,
        "\(source.label) could not be offered for reading: \(error.cause ?? error)",
        remedy: "Check that the file is there and that no other program has it open for writing",
        cause: error)
    }
  }

  /// A connection that only keeps the server alive.
  private final class Keeper: Sendable {
    private let client: Mutex<NBDClient?>

    init(_ export: NBDExport, _ cancellation: NBDCancellation) throws(SnapshotError) {
      do {
        client = Mutex(try NBDClient(export, cancellation: cancellation))
      } catch {
        throw SnapshotError(error)
      }
    }

    func leave() { client.withLock { $0 = nil } }
  }

  /// The process, which is not our child.
  private struct Server {
    let processFile: String

    /// Waits for its end, and makes it end where that takes too long. Until then it holds the lock of
    /// the files, and a guest that uses them can't be started.
    func end(within limit: Duration, of source: StorageNode) async throws {
      if await wait(limit, while: { isAlive }) { return }
      send(SIGKILL)
      if await wait(limit, while: { isAlive }) { return }
      throw SnapshotError(
        .notRestored, "qemu-nbd (process \(number ?? 0)) did not end and holds \(source.label)",
        remedy: "Look at the storage below the file; the process ends when that answers")
    }

    func waitForNumber() async { _ = await wait(.seconds(2), while: { number == nil }) }

    func send(_ signal: Int32) {
      guard isAlive, let number else { return }
      _ = Glibc.kill(number, signal)
    }

    /// - Returns: whether the condition ended within the limit.
    private func wait(_ limit: Duration, while condition: () -> Bool) async -> Bool {
      let end = ContinuousClock.now + limit
      while condition() {
        guard ContinuousClock.now < end else { return false }
        // Also in a cancelled run.
        await Task.detached { try? await Task.sleep(for: .milliseconds(5)) }.value
      }
      return true
    }

    /// One that has ended and that nobody waited for has no program any more.
    private var isAlive: Bool {
      guard let number else { return false }
      let program = try? FileManager.default.destinationOfSymbolicLink(
        atPath: "/proc/\(number)/exe")
      return program?.contains("qemu-nbd") == true
    }

    private var number: Int32? {
      (try? String(contentsOfFile: processFile, encoding: .utf8))
        .flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
  }
}
