internal import Foundation
internal import Glibc

/// Programs that a killed run left working in its folder: a `qemu-img` that still writes, a
/// `qemu-nbd` that nobody ever connected to. They hold the locks of the server's disk.
struct StrayPrograms {
  /// The run's folder; its name is the run's alone.
  private let folder: String

  /// Only these are ended, whoever else names the folder.
  static let programs: Set<String> = ["qemu-img", "qemu-nbd", "cp"]

  init(of folder: String) { self.folder = folder }

  /// Ends them and waits until they are gone.
  ///
  /// - Throws: `notRestored` where one does not end within 10 s of SIGKILL.
  func end() async throws {
    var tries = 0
    while true {
      let found = running()
      if found.isEmpty { return }
      guard tries < 110 else {
        throw SnapshotError(
          .notRestored, "processes \(found) work in \(folder) and do not end",
          remedy: "Look at the storage they wait for: they end when it answers")
      }
      for process in found { kill(process, tries < 10 ? SIGTERM : SIGKILL) }
      tries += 1
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  private func running() -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { Int32($0) }.filter { process in
      guard process != getpid(),
        let program = try? FileManager.default.destinationOfSymbolicLink(
          atPath: "/proc/\(process)/exe"),
        let name = program.split(separator: "/").last?.split(separator: " ").first,
        StrayPrograms.programs.contains(String(name)),
        let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline")
      else { return false }
      return String(decoding: line, as: UTF8.self).contains(folder + "/")
    }
  }
}
