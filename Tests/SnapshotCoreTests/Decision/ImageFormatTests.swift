import Testing

@testable import SnapshotCore

@Suite struct ImageFormatTests {
  static let table: [(name: String, driver: String, options: String?)] = [
    ("raw", "raw", nil),
    ("qcow2", "qcow2", "compat=1.1"),
    ("vmdk", "vmdk", "subformat=monolithicSparse"),
    ("vdi", "vdi", nil),
    ("vhd", "vpc", "force_size=on"),
    ("vhdx", "vhdx", nil),
  ]

  @Test(arguments: table)
  func `a format has Glance's name and QEMU's driver`(
    _ row: (name: String, driver: String, options: String?)
  ) throws {
    let format = try #require(ImageFormat(name: row.name))
    #expect(format.driver.rawValue == row.driver)
    #expect(format.creationOptions == row.options)
    #expect(format.description == row.name)
    #expect(ImageFormat(driver: row.driver) == format)
  }

  @Test func `no format is missing from the table`() {
    #expect(ImageFormat.all.map(\.name) == Self.table.map(\.name))
  }

  @Test(arguments: ["", "QCOW2", "vpc", "qed", "iso", "ami", "raw "])
  func `a name that is not Glance's is no format`(_ name: String) {
    #expect(ImageFormat(name: name) == nil)
  }

  @Test(arguments: ["vhd", "qcow", "luks", ""])
  func `a driver without an image format is none`(_ driver: String) {
    #expect(ImageFormat(driver: driver) == nil)
  }
}
