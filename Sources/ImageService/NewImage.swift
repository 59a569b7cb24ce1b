public import Foundation

/// What a new image shall be, before any byte of it exists.
public struct NewImage: Sendable, Equatable {
  /// Chosen by the client, so that a repeated create cannot make two images.
  public var id: UUID
  /// 1–255 characters.
  public var name: String
  /// `raw`, `qcow2` and so on.
  public var diskFormat: String
  /// `bare` for nearly every image.
  public var containerFormat: String
  /// The smallest disk the image fits on, in GiB.
  public var minDisk: Int
  /// The least memory a server needs to boot the image, in MiB.
  public var minRAM: Int
  /// `private`, `shared`, `community` or `public`.
  public var visibility: String
  /// Additional properties, flat as in Glance.
  public var properties: [String: String]

  /// Describes a new image.
  public init(
    id: UUID = UUID(),
    name: String,
    diskFormat: String,
    containerFormat: String = "bare",
    minDisk: Int = 0,
    minRAM: Int = 0,
    visibility: String = "private",
    properties: [String: String] = [:]
  ) {
    self.id = id
    self.name = name
    self.diskFormat = diskFormat
    self.containerFormat = containerFormat
    self.minDisk = minDisk
    self.minRAM = minRAM
    self.visibility = visibility
    self.properties = properties
  }
}

/// The body of `POST /v2/images`: base attributes and properties side by side.
extension NewImage: Encodable {
  /// Writes Glance's flat JSON form.
  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: AttributeName.self)
    for (key, value) in properties where !AttributeName.base.contains(key) {
      try object.encode(value, forKey: AttributeName(key))
    }
    try object.encode(id.uuidString.lowercased(), forKey: "id")
    try object.encode(name, forKey: "name")
    try object.encode(diskFormat, forKey: "disk_format")
    try object.encode(containerFormat, forKey: "container_format")
    try object.encode(minDisk, forKey: "min_disk")
    try object.encode(minRAM, forKey: "min_ram")
    try object.encode(visibility, forKey: "visibility")
  }
}
