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

  /// A disk of 64 MiB that reports nothing but data, as a block device does.
  private static func silentDisk(data: [Range<UInt64>]) -> PatternDisk {
    let disk = PatternDisk(size: 64 << 20, data: data)
    disk.reported = [Extent(start: 0, length: 64 << 20, kind: .data)]
    return disk
  }

  @Test func zerosThatTheSourceDoesNotReportAreLeftOutOfQcow2() throws {
    let data: [Range<UInt64>] = [0..<(20 << 20), (60 << 20)..<(61 << 20) + 1]
    let disk = try EncodedDisk(.qcow2) { Self.silentDisk(data: data) }
    #expect(disk.readByteCount == (21 << 20) + 65_536)
  }

  @Test func `looking for zeros tells how far it is`() throws {
    var seen: [UInt64] = []
    var total: UInt64 = 0
    _ = try EncodedDisk(
      .qcow2,
      progress: {
        seen.append($0)
        total = $1
      }, from: { Self.silentDisk(data: [0..<(20 << 20)]) })
    #expect(seen == seen.sorted() && seen.count > 1)
    #expect(seen.last == 64 << 20 && total == 64 << 20)
  }

  @Test func `what is not looked at in time is data`() throws {
    let source = Self.silentDisk(data: [0..<(20 << 20)])
    let extents = try source.extents()
    #expect(try ZeroScan.refine(extents, of: source, within: .zero) == extents)
    #expect(source.readByteCount == 0)
  }

  @Test func aDiskWithFewZerosIsNotReadTwice() throws {
    let source = Self.silentDisk(data: [0..<(60 << 20)])
    let runs = DataRuns(try source.extents(), size: source.size)
    #expect(try !ZeroScan.isWorthwhile(runs, of: source))
    #expect(source.readByteCount == 128 * 65_536)
    let disk = try EncodedDisk(.qcow2) { Self.silentDisk(data: [0..<(60 << 20)]) }
    #expect(disk.readByteCount == 64 << 20)
  }

  @Test func rawHasItsLengthAnyway() throws {
    let disk = try EncodedDisk(.raw) { Self.silentDisk(data: [0..<65_536]) }
    #expect(disk.readByteCount == 64 << 20)
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
