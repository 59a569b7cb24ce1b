public import Foundation

/// An image as the store describes it: Glance's JSON form, with properties flat beside the base
/// attributes.
public struct ImageRecord: Sendable, Equatable {
  /// The image id.
  public var id: UUID
  /// The display name; Glance allows none.
  public var name: String?
  /// The state of the image.
  public var status: ImageStatus
  /// `raw`, `qcow2` and so on; nil until it is set.
  public var diskFormat: String?
  /// `bare` and so on; nil until it is set.
  public var containerFormat: String?
  /// The length of the data in bytes; nil while there is none.
  public var size: Int64?
  /// The size of the disk a guest sees, in bytes, where the store knows it.
  public var virtualSize: Int64?
  /// The MD5 of the data in lowercase hex.
  public var checksum: String?
  /// The algorithm behind ``osHashValue``, `sha512` by default.
  public var osHashAlgo: String?
  /// The hash of the data in lowercase hex.
  public var osHashValue: String?
  /// Hidden from lists by default.
  public var osHidden: Bool?
  /// The smallest disk the image fits on, in GiB.
  public var minDisk: Int
  /// The least memory a server needs to boot the image, in MiB.
  public var minRAM: Int
  /// `private`, `shared`, `community` or `public`.
  public var visibility: String
  /// The project that owns the image.
  public var owner: String?
  /// Cannot be deleted while true.
  public var protected: Bool
  /// Free labels.
  public var tags: [String]
  /// When the record was made: ISO 8601, UTC.
  public var createdAt: String?
  /// When the record last changed: ISO 8601, UTC.
  public var updatedAt: String?
  /// Where the data is, relative to the store.
  public var file: String?
  /// Where the schema is, relative to the store.
  public var schema: String?
  /// Where the record is, relative to the store (`self` in JSON).
  public var selfLink: String?
  /// Every other key with a string value.
  public var properties: [String: String]
  /// Every other key with a value of another type, such as `locations`.
  package var others: [String: JSONValue]

  /// The record of an image that was just created from `image`.
  public init(queued image: NewImage, at time: Date = Date()) {
    id = image.id
    name = image.name
    status = .queued
    diskFormat = image.diskFormat
    containerFormat = image.containerFormat
    minDisk = image.minDisk
    minRAM = image.minRAM
    visibility = image.visibility
    protected = false
    tags = []
    createdAt = time.formatted(.iso8601)
    updatedAt = createdAt
    properties = image.properties
    others = [:]
  }

  /// Property and value, sorted by property, for a table, as in `nova image-create --show`: what is
  /// not set is `-`, lists and objects are JSON.
  public var rows: [(String, String)] {
    var values = others.mapValues(\.row).merging(properties) { $1 }
    func set(_ name: String, _ value: (some CustomStringConvertible)?) {
      values[name] = value.map { "\($0)" } ?? "-"
    }
    func set(_ name: String, _ flag: Bool?) {
      values[name] = flag.map { $0 ? "True" : "False" } ?? "-"
    }
    set("id", id.uuidString.lowercased())
    set("name", name)
    set("status", status)
    set("disk_format", diskFormat)
    set("container_format", containerFormat)
    set("size", size)
    set("virtual_size", virtualSize)
    set("checksum", checksum)
    set("os_hash_algo", osHashAlgo)
    set("os_hash_value", osHashValue)
    set("os_hidden", osHidden)
    set("min_disk", minDisk)
    set("min_ram", minRAM)
    set("visibility", visibility)
    set("owner", owner)
    set("protected", protected)
    set("tags", JSONValue.list(tags.map { .text($0) }).json)
    set("created_at", createdAt)
    set("updated_at", updatedAt)
    set("file", file)
    set("schema", schema)
    // A store on the local disk has none.
    if let selfLink { values["self"] = selfLink }
    return values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
