import Foundation
import Testing

@testable import SnapshotCore

@Suite struct ForeignReferenceTests {
  /// A qcow2 header with its incompatible features, and an extension of this kind.
  private static func qcow2(
    version: UInt8 = 3, features: UInt8, extensionType: [UInt8] = [0, 0, 0, 0], name: String = ""
  ) -> Data {
    var header = Data([0x51, 0x46, 0x49, 0xFB, 0, 0, 0, version])
    header += Data(count: 104 - header.count)
    header[79] = features
    header[103] = 104
    header += Data(extensionType) + Data([0, 0, 0, UInt8(name.utf8.count)]) + Data(name.utf8)
    return header + Data(count: 512)
  }

  private static let dataFile: [UInt8] = [0x44, 0x41, 0x54, 0x41]

  private static func sparse(capacity: UInt8) -> Data {
    var header = Data("KDMV".utf8) + Data(count: 508)
    header[19] = capacity
    return header
  }

  static let table: [(Data, StorageFormat, String?)] = [
    (qcow2(features: 0), .qcow2, nil),
    (qcow2(features: 8), .qcow2, nil),
    (qcow2(features: 0, extensionType: dataFile, name: "/x"), .qcow2, nil),
    (qcow2(version: 2, features: 4), .qcow2, nil),
    (
      qcow2(features: 4, extensionType: dataFile, name: "/etc/shadow"), .qcow2,
      "names the external data file /etc/shadow, which is not opened for it"
    ),
    (qcow2(features: 4), .qcow2, "has an external data file, which is not opened for it"),
    (
      qcow2(features: 12, extensionType: [255, 255, 255, 255], name: "x"), .qcow2,
      "has an external data file, which is not opened for it"
    ),
    // A raw disk of a guest holds what the guest likes.
    (qcow2(features: 4, extensionType: dataFile, name: "/x"), .raw, nil),
    (sparse(capacity: 1), .vmdk, nil),
    (sparse(capacity: 0), .vmdk, vmdk),
    (Data("KDMV".utf8) + Data(repeating: 1, count: 20), .vmdk, vmdk),
    (Data("# Disk DescriptorFile\n".utf8) + Data(repeating: 65, count: 600), .vmdk, vmdk),
    (Data("COWD".utf8) + Data(repeating: 1, count: 600), .vmdk, vmdk),
    (Data(), .vmdk, vmdk),
    (Data(), .qcow2, nil),
  ]

  private static let vmdk =
    "is not a single sparse VMDK file: it can name other files as its extents, which are not opened "
    + "for it"

  @Test(arguments: table)
  func `a header that refers to other files is recognized before it is opened`(
    _ header: Data, _ format: StorageFormat, _ reference: String?
  ) {
    #expect(ForeignReference.find(in: header, format: format) == reference)
  }

  @Test func `no header of a disk ends the program`() {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<2000 {
      var header = Self.qcow2(features: 4, extensionType: Self.dataFile, name: "name")
      for _ in 0..<8 {
        header[Int.random(in: 8..<header.count, using: &generator)] =
          UInt8.random(in: 0...255, using: &generator)
      }
      let cut = header.prefix(Int.random(in: 0...header.count, using: &generator))
      for format in StorageFormat.allCases { _ = ForeignReference.find(in: cut, format: format) }
    }
  }
}
