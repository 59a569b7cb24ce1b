import Foundation
import Synchronization
import Testing

@testable import SnapshotCore

@Suite struct EncodedDiskTests {
  private static let formats: [EncodedDisk.Format] = [.raw, .qcow2]

  private static func whole(_ disk: EncodedDisk, upTo limit: Int) throws -> Data {
    let reader = try disk.makeReader()
    defer { reader.close() }
    var data = Data()
    while let piece = try reader.read(upTo: limit) { data += piece }
    return data
  }

  @Test(arguments: formats, [1, 7, 512, 65_536, 1 << 20])
  func everyReaderGivesTheSameBytesWhateverTheLimit(_ format: EncodedDisk.Format, limit: Int) throws
  {
    let size: UInt64 = 70_001
    let disk = try EncodedDisk(format) { PatternDisk(size: size, data: [3..<500, 69_000..<size]) }
    let first = try Self.whole(disk, upTo: limit)
    #expect(first.count == Int(disk.byteCount))
    #expect(try Self.whole(disk, upTo: 99_999) == first)
  }

  @Test(arguments: formats)
  func onlyClustersWithDataAreRead(_ format: EncodedDisk.Format) throws {
    let disk = try EncodedDisk(format) {
      PatternDisk(size: 1 << 30, data: [100..<200, 1 << 29..<(1 << 29) + 70_000])
    }
    #expect(disk.diskSize == 1 << 30)
    #expect(disk.readByteCount == 3 * 65_536)
  }

  @Test(arguments: formats)
  func aDiskOfNoBytesIsAnImage(_ format: EncodedDisk.Format) throws {
    let disk = try EncodedDisk(format) { PatternDisk(size: 0, data: []) }
    #expect(try Self.whole(disk, upTo: 1 << 20).count == Int(disk.byteCount))
    #expect(disk.byteCount == (format == .raw ? 0 : 4 * 65_536))
  }

  @Test(arguments: formats)
  func aDiskThatChangedItsSizeIsRefused(_ format: EncodedDisk.Format) throws {
    let opened = Atomic(0)
    let disk = try EncodedDisk(format) {
      let count = opened.add(1, ordering: .relaxed).newValue
      return PatternDisk(size: count == 1 ? 4096 : 8192, data: [])
    }
    let error = try #require(throws: SnapshotError.self) { try disk.makeReader() }
    #expect(error.code == .unreadableDisk)
    #expect(error.reason.contains("4096") && error.reason.contains("8192"))
  }

  @Test(arguments: formats)
  func aFailedReadIsThrownAndNeverAnEnd(_ format: EncodedDisk.Format) throws {
    let opened = Atomic(0)
    let disk = try EncodedDisk(format) { () throws(SnapshotError) in
      let isFirst = opened.add(1, ordering: .relaxed).newValue == 1
      if isFirst { return PatternDisk(size: 1 << 20, data: [0..<1 << 20]) }
      return FailingDisk()
    }
    let reader = try disk.makeReader()
    var count = 0
    let error = #expect(throws: SnapshotError.self) {
      while let piece = try reader.read(upTo: 65_536) { count += piece.count }
    }
    #expect(error?.code == .unreadableDisk)
    #expect(count < disk.byteCount)
  }
}

/// A disk of 1 MiB that can't be read.
private final class FailingDisk: DiskSource {
  let size: UInt64 = 1 << 20

  func extents() throws(SnapshotError) -> [Extent] {
    [Extent(start: 0, length: size, kind: .data)]
  }

  func willRead(_ runs: [Range<UInt64>]) {}

  func read(at offset: UInt64, count: Int) throws(SnapshotError) -> Data {
    throw SnapshotError(.unreadableDisk, "this disk could not be read", remedy: "Take another")
  }

  func close() {}
}
