internal import Foundation
internal import Glibc

/// A `qemu-nbd` that serves one image on a unix socket until the object goes.
package final class QemuNBD {
  package let socketPath: String
  private let process = Process()

  /// Starts it and waits for its socket.
  ///
  /// - Parameters:
  ///   - image: a path, or an image of QEMU's in the form `json:{…}`; then `format` is nil.
  ///   - export: the export's name.
  package init(
    _ image: String, format: String?, export: String = "", in folder: TemporaryFolder
  ) async throws {
    socketPath = folder.file("\(UUID().uuidString.prefix(8)).sock")
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments =
      ["qemu-nbd", "--read-only", "--persistent", "-e", "8", "-k", socketPath, "-x", export]
      + (format.map { ["-f", $0] } ?? []) + [image]
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let end = ContinuousClock.now + .seconds(20)
    // The socket appears when it is bound, which is before it listens: nbd clients retry, we wait.
    while !FileManager.default.fileExists(atPath: socketPath) {
      guard process.isRunning, ContinuousClock.now < end else {
        throw Command.Failed(description: "qemu-nbd did not start for \(image)")
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    try await Task.sleep(for: .milliseconds(20))
  }

  deinit { kill() }

  /// Whether it has not ended.
  package var isRunning: Bool { process.isRunning }

  /// Ends it as a crash would.
  package func kill() {
    guard process.isRunning else { return }
    signal(SIGKILL)
    process.waitUntilExit()
  }

  /// Stops it without ending it: it keeps its connections and says nothing.
  package func freeze() { signal(SIGSTOP) }

  private func signal(_ number: Int32) { _ = Glibc.kill(process.processIdentifier, number) }
}
