import Foundation
import QemuTools
import Testing

@testable import SnapshotCore

/// Programs that a killed run left behind.
@Suite struct StrayProgramsTests {
  @Test(.timeLimit(.minutes(1)))
  func `those that work in the folder are ended, and nobody else's`() async throws {
    let (ours, others) = (try TemporaryFolder(), try TemporaryFolder())
    let disk = ours.file("disk")
    try Data(count: 1 << 20).write(to: URL(filePath: disk))
    // Of another file: what names the folder is ours.
    let copy = others.file("disk")
    try FileManager.default.copyItem(atPath: disk, toPath: copy)
    let stray = try await QemuNBD(disk, format: "raw", in: ours)
    let other = try await QemuNBD(copy, format: "raw", in: others)
    // Only the beginning of a name is no folder of a run.
    try await StrayPrograms(of: String(ours.path.dropLast())).end()
    #expect(stray.isRunning)
    try await StrayPrograms(of: ours.path + "/run").end()
    #expect(stray.isRunning)
    try await StrayPrograms(of: ours.path).end()
    while stray.isRunning { try await Task.sleep(for: .milliseconds(5)) }
    #expect(other.isRunning)
  }
}
