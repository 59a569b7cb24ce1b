import Foundation
import Testing

@testable import SnapshotCore

@Suite struct Qcow2MetadataTests {
  private static let size: UInt64 = 16 << 40
  private static let cluster = 65_536

  private static func layout(_ data: [Range<UInt64>], size: UInt64) -> Qcow2Layout {
    let disk = data.map {
      Extent(start: $0.lowerBound, length: $0.upperBound - $0.lowerBound, kind: .data)
    }
    return Qcow2Layout(DataRuns(disk, size: size), diskSize: size)
  }

  private static func number(_ data: Data, at offset: Int, bytes: Int = 8) -> UInt64 {
    data.dropFirst(offset).prefix(bytes).reduce(0) { $0 << 8 | UInt64($1) }
  }

  @Test func theHeaderIsPlainVersion3() throws {
    var metadata = Qcow2Metadata(Self.layout([0..<1], size: 513))
    let next = metadata.next()
    let header = try #require(next)
    #expect(header.count == Self.cluster)
    #expect(header.prefix(4) == Data([0x51, 0x46, 0x49, 0xFB]))
    let fields: [(offset: Int, bytes: Int, value: UInt64)] = [
      (4, 4, 3), (8, 8, 0), (16, 4, 0),  // version, backing file's name: offset and length
      (20, 4, 16), (24, 8, 1024), (32, 4, 0),  // cluster bits, size in whole sectors, encryption
      (36, 4, 1), (40, 8, 3 << 16),  // L1: entries and offset
      (48, 8, 1 << 16), (56, 4, 1),  // refcount table: offset and clusters
      (60, 4, 0), (64, 8, 0),  // snapshots
      (72, 8, 0), (80, 8, 0), (88, 8, 0),  // feature bits
      (96, 4, 4), (100, 4, 104), (104, 8, 0),  // refcount order, header length, end of extensions
    ]
    for field in fields {
      #expect(
        Self.number(header, at: field.offset, bytes: field.bytes) == field.value,
        "at byte \(field.offset)")
    }
  }

  /// The tables of a full disk are 2.5 GiB: they are looked at in part, and made one at a time.
  @Test func aFullDiskOf16TiBIsLaidOut() throws {
    let layout = Self.layout([0..<Self.size], size: Self.size)
    #expect(layout.tables.count == 32_768)
    #expect(layout.runs.clusterCount == 1 << 28)
    #expect(layout.refcountBlocks * Qcow2Layout.refcountEntries >= layout.clusterCount)
    #expect((layout.refcountBlocks - 1) * Qcow2Layout.refcountEntries < layout.clusterCount)
    #expect(layout.refcountTableClusters == 2)
    #expect(layout.l1Clusters == 4)
    #expect(layout.byteCount == Int64(layout.clusterCount) * Int64(Self.cluster))
    var metadata = Qcow2Metadata(layout)
    for cluster in 0..<layout.l2Start + 3 {
      let next = metadata.next()
      let data = try #require(next)
      #expect(data.count == Self.cluster)
      switch cluster {
      case layout.refcountTableStart:
        #expect(Self.number(data, at: 8) == (layout.refcountBlocksStart + 1) << 16)
      case layout.refcountBlocksStart:
        #expect(data.prefix(4) == Data([0, 1, 0, 1]) && data.suffix(2) == Data([0, 1]))
      case layout.l1Start + 3:
        #expect(Self.number(data, at: 65_528) == (layout.dataStart - 1) << 16 | 1 << 63)
      case layout.l2Start + 2:
        #expect(Self.number(data, at: 0) == (layout.dataStart + 2 * 8192) << 16 | 1 << 63)
        #expect(Self.number(data, at: 65_528) == (layout.dataStart + 3 * 8192 - 1) << 16 | 1 << 63)
      default: break
      }
    }
  }

  @Test func aSparseDiskOf16TiBTakesOnlyWhatItHolds() {
    let layout = Self.layout([0..<1, Self.size - 1..<Self.size], size: Self.size)
    #expect(layout.tables == [0, 32_767])
    // Header, refcount table, refcount block, 4 of L1, 2 of L2, 2 of data.
    #expect(layout.clusterCount == 11)
  }

  @Test(
    arguments: [
      ([], []), ([0..<1], [0]), ([0..<1, 1 << 20..<1 << 21], [0]),
      ([(1 << 29) - 1..<(1 << 29)], [0]), ([(1 << 29) - 1..<(1 << 29) + 1], [0, 1]),
      ([0..<1, 1 << 28..<(1 << 30) + 1], [0, 1, 2]), ([1 << 30..<1 << 31], [2, 3]),
    ] as [([Range<UInt64>], [UInt32])])
  func onlyTablesWithEntriesExist(_ data: [Range<UInt64>], _ tables: [UInt32]) {
    #expect(Self.layout(data, size: 1 << 32).tables == tables)
  }

  /// Where one more cluster needs one more refcount block, which is a cluster as well.
  @Test(arguments: 32_755...32_775 as ClosedRange<UInt64>)
  func refcountsCoverThemselves(_ clusters: UInt64) {
    let layout = Self.layout([0..<clusters << 16], size: 1 << 40)
    #expect(layout.refcountBlocks == (layout.clusterCount + 32_767) / 32_768)
  }
}
