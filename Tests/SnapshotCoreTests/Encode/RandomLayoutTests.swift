import Foundation
import QemuTools
import Testing

@testable import SnapshotCore

/// The number in a failed test's name is the seed that brings its layout back.
@Suite(.timeLimit(.minutes(5))) struct RandomLayoutTests {
  @Test(arguments: 1...216 as ClosedRange<UInt64>)
  func qemuFindsTheStreamedQcow2CleanAndEqual(seed: UInt64) async throws {
    let layout = RandomLayout(seed: seed)
    let folder = try TemporaryFolder()
    let image = folder.file("image.qcow2")
    let reference = folder.file("reference.raw")
    let disk = try EncodedDisk(.qcow2) { layout.disk() }
    #expect(try disk.write(to: image, upTo: layout.readLimit) == disk.byteCount)
    try layout.disk().write(to: reference)
    try await Command.run("qemu-img", "check", "-q", "-f", "qcow2", image)
    try await Command.run(
      "qemu-img", "compare", "-q", "-f", "raw", "-F", "qcow2", reference, image)
    let answer = try await Command.run(
      "qemu-img", "info", "-f", "qcow2", "--output=json", image)
    let info = try JSONDecoder().decode(Info.self, from: Data(answer.output.utf8))
    #expect(info.virtualSize == (layout.size + 511) / 512 * 512)
    #expect(info.backing == nil)
    #expect(info.specific.data.compat == "1.1")
  }

  @Test(arguments: 1...64 as ClosedRange<UInt64>)
  func theRawImageIsTheDisk(seed: UInt64) throws {
    let layout = RandomLayout(seed: seed)
    // A larger one is the same code, and a million blocks of zeros for each TiB.
    guard layout.size < 1 << 26 else { return }
    let folder = try TemporaryFolder()
    let disk = try EncodedDisk(.raw) { layout.disk() }
    #expect(disk.byteCount == Int64(layout.size))
    #expect(
      try disk.write(to: folder.file("image.raw"), upTo: layout.readLimit) == disk.byteCount)
    try layout.disk().write(to: folder.file("reference.raw"))
    #expect(
      FileManager.default.contentsEqual(
        atPath: folder.file("image.raw"), andPath: folder.file("reference.raw")))
  }

  private struct Info: Decodable {
    struct Specific: Decodable {
      struct Fields: Decodable {
        let compat: String
      }
      let data: Fields
    }
    let virtualSize: UInt64
    let backing: String?
    let specific: Specific

    private enum CodingKeys: String, CodingKey {
      case virtualSize = "virtual-size"
      case backing = "backing-filename"
      case specific = "format-specific"
    }
  }
}

extension RandomLayout {
  /// A new source of it.
  func disk() -> PatternDisk {
    let disk = PatternDisk(size: size, data: data)
    disk.pieceLimit = pieceLimit
    return disk
  }
}
