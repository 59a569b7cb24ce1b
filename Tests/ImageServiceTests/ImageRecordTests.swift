import Foundation
import ImageService
import Testing

@Suite struct ImageRecordTests {
  static func record() throws -> ImageRecord {
    let json = Fixture.record(status: "saving", size: 7, sha512: "ab")
    return try JSONDecoder().decode(ImageRecord.self, from: Data(json.utf8))
  }

  @Test func propertiesAreTheOtherKeysWithStringValues() throws {
    #expect(try Self.record().properties == ["hw_disk_bus": "virtio"])
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let record = try Self.record()
    let json = try JSONEncoder().encode(record)
    #expect(try JSONDecoder().decode(ImageRecord.self, from: json) == record)
    let object = try #require(JSONSerialization.jsonObject(with: json) as? [String: Any])
    #expect(object["hw_disk_bus"] as? String == "virtio")
    #expect(object["id"] as? String == Fixture.id)
    #expect(object["min_disk"] as? Int == 5)
    #expect(object["virtual_size"] is NSNull)
    #expect(object["properties"] == nil)
  }

  @Test func aPropertyNeverTakesThePlaceOfABaseAttribute() throws {
    var record = try Self.record()
    record.properties["status"] = "active"
    let json = try JSONEncoder().encode(record)
    #expect(try JSONDecoder().decode(ImageRecord.self, from: json).status == .saving)
  }

  @Test func anUnknownStatusIsKept() throws {
    let json = Fixture.record(status: "dreaming")
    let record = try JSONDecoder().decode(ImageRecord.self, from: Data(json.utf8))
    #expect(record.status == ImageStatus(rawValue: "dreaming"))
  }

  @Test func theRowsAreThoseOfNova() throws {
    let rows = try Self.record().rows
    #expect(rows.map(\.0) == rows.map(\.0).sorted())
    let values = Dictionary(uniqueKeysWithValues: rows)
    #expect(values["checksum"] == "-")
    #expect(values["protected"] == "False")
    #expect(values["tags"] == #"["a", "b"]"#)
    #expect(values["self"] == "/v2/images/\(Fixture.id)")
    #expect(values["locations"] == "[]")
    #expect(values["hw_disk_bus"] == "virtio")
    #expect(values["id"] == Fixture.id)
    #expect(values["size"] == "7")
  }

  @Test func `values of other types are printed as novaclient does`() throws {
    let json = Fixture.record(status: "active").replacing(
      #""locations": []"#,
      with: #""locations": [{"url": "a\"b", "metadata": {"n": 1, "x": 0.5}}], "flag": true, "#
        + #""nothing": null, "count": 3"#)
    let record = try JSONDecoder().decode(ImageRecord.self, from: Data(json.utf8))
    let values = Dictionary(uniqueKeysWithValues: record.rows)
    #expect(values["locations"] == #"[{"metadata": {"n": 1, "x": 0.5}, "url": "a\"b"}]"#)
    #expect(values["flag"] == "True")
    #expect(values["nothing"] == "-")
    #expect(values["count"] == "3")
    #expect(record.properties == ["hw_disk_bus": "virtio"])
  }

  static func changed(_ change: (inout NewImage) -> Void) -> NewImage {
    var image = Fixture.image
    change(&image)
    return image
  }

  @Test(arguments: [
    "", "   ", "a\nb", "a\0b", "a\u{7f}", "a\u{85}b", "a\u{2028}b",
    String(repeating: "x", count: 256),
  ])
  func aNameThatCannotBeIsRefused(name: String) {
    let error = #expect(throws: ImageServiceError.self) {
      try Self.changed { $0.name = name }.checkRules()
    }
    #expect(error?.code == .invalidName)
  }

  @Test(arguments: ["x", "Büro 1", "💾", String(repeating: "💾", count: 255)])
  func aNameInAnyLanguageIsAllowed(name: String) {
    #expect(throws: Never.self) { try Self.changed { $0.name = name }.checkRules() }
  }

  @Test func glanceRefusesEmojiWhereALocalFolderDoesNot() throws {
    let glance = GlanceStore(
      credentials: try Fixture.credentials("http://h"), logger: Fixture.quiet)
    let folder = FolderStore(directory: "/nowhere", logger: Fixture.quiet)
    for (image, code) in [
      (Self.changed { $0.name = "disk 💾" }, ImageServiceError.Code.invalidName),
      (Self.changed { $0.properties["note"] = "💾" }, .invalidMetadata),
    ] {
      #expect(throws: Never.self) { try folder.validate(image) }
      let error = #expect(throws: ImageServiceError.self) { try glance.validate(image) }
      #expect(error?.code == code)
    }
    #expect(throws: Never.self) { try glance.validate(Self.changed { $0.name = "Büro €" }) }
  }

  @Test(arguments: [
    "", "a/b", "a=b", "ü", "a\nb", String(repeating: "k", count: 256), "os_glance", "os_glance_x",
    "id", "status", "size", "checksum", "owner", "created_at", "schema", "location", "locations",
    "self", "os_hash_value", "min_disk", "tags", "direct_url",
  ])
  func aPropertyKeyThatGlanceOrNovaRefuseIsNamed(key: String) {
    let error = #expect(throws: ImageServiceError.self) {
      try Self.changed { $0.properties[key] = "v" }.checkRules()
    }
    #expect(error?.code == .invalidMetadata)
    #expect(error?.reason.contains(key.debugDescription) == true)
  }

  @Test(arguments: [
    ("k", String(repeating: "v", count: 255), true), ("k", "", true), ("a.b:c d_e-F9", "v", true),
    ("k", String(repeating: "v", count: 256), false), ("k", "a\0", false),
  ])
  func aPropertyValueHas255CharactersAtMost(key: String, value: String, isAllowed: Bool) {
    let image = Self.changed { $0.properties[key] = value }
    #expect(((try? image.checkRules()) != nil) == isAllowed)
  }

  @Test(arguments: [
    Self.changed { $0.diskFormat = "../../etc/x" }, Self.changed { $0.diskFormat = "" },
    Self.changed { $0.containerFormat = "a b" }, Self.changed { $0.minDisk = -1 },
    Self.changed { $0.minRAM = 1 << 40 }, Self.changed { $0.visibility = "secret" },
  ])
  func attributesThatCannotBeAreRefused(image: NewImage) {
    let error = #expect(throws: ImageServiceError.self) { try image.checkRules() }
    #expect(error?.code == .invalidMetadata)
  }
}
