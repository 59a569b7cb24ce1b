import Foundation
import Libvirt
import Testing

/// Changes the test process for good, which does no other test harm.
@Suite struct CoreFilesTests {
  @Test func `a crash leaves no memory behind once core files are forbidden`() throws {
    #expect(CoreFiles.forbid())
    let limits = try String(contentsOfFile: "/proc/self/limits", encoding: .utf8)
    let line = try #require(
      limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
    #expect(line.dropFirst(18).split(separator: " ").prefix(2) == ["0", "0"])
    // Once more does no harm.
    #expect(CoreFiles.forbid())
  }
}
