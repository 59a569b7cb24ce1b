import Foundation

extension ImageRecord: Codable {
  /// Reads Glance's flat JSON form. Unknown keys with a string value become properties.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: AttributeName.self)
    id = try object.decode(UUID.self, forKey: "id")
    name = try object.decodeIfPresent(String.self, forKey: "name")
    status = try object.decode(ImageStatus.self, forKey: "status")
    diskFormat = try object.decodeIfPresent(String.self, forKey: "disk_format")
    containerFormat = try object.decodeIfPresent(String.self, forKey: "container_format")
    size = try object.decodeIfPresent(Int64.self, forKey: "size")
    virtualSize = try object.decodeIfPresent(Int64.self, forKey: "virtual_size")
    checksum = try object.decodeIfPresent(String.self, forKey: "checksum")
    osHashAlgo = try object.decodeIfPresent(String.self, forKey: "os_hash_algo")
    osHashValue = try object.decodeIfPresent(String.self, forKey: "os_hash_value")
    osHidden = try object.decodeIfPresent(Bool.self, forKey: "os_hidden")
    minDisk = try object.decodeIfPresent(Int.self, forKey: "min_disk") ?? 0
    minRAM = try object.decodeIfPresent(Int.self, forKey: "min_ram") ?? 0
    visibility = try object.decodeIfPresent(String.self, forKey: "visibility") ?? "private"
    owner = try object.decodeIfPresent(String.self, forKey: "owner")
    protected = try object.decodeIfPresent(Bool.self, forKey: "protected") ?? false
    tags = try object.decodeIfPresent([String].self, forKey: "tags") ?? []
    createdAt = try object.decodeIfPresent(String.self, forKey: "created_at")
    updatedAt = try object.decodeIfPresent(String.self, forKey: "updated_at")
    file = try object.decodeIfPresent(String.self, forKey: "file")
    schema = try object.decodeIfPresent(String.self, forKey: "schema")
    selfLink = try object.decodeIfPresent(String.self, forKey: "self")
    properties = [:]
    others = [:]
    for key in object.allKeys where !AttributeName.base.contains(key.stringValue) {
      switch try object.decode(JSONValue.self, forKey: key) {
      case .text(let text): properties[key.stringValue] = text
      case let other: others[key.stringValue] = other
      }
    }
  }

  /// Writes Glance's flat JSON form.
  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: AttributeName.self)
    for (key, value) in others where !AttributeName.base.contains(key) {
      try object.encode(value, forKey: AttributeName(key))
    }
    // A property can never take the place of a base attribute.
    for (key, value) in properties where !AttributeName.base.contains(key) {
      try object.encode(value, forKey: AttributeName(key))
    }
    try object.encode(id.uuidString.lowercased(), forKey: "id")
    try object.encode(name, forKey: "name")
    try object.encode(status, forKey: "status")
    try object.encode(diskFormat, forKey: "disk_format")
    try object.encode(containerFormat, forKey: "container_format")
    try object.encode(size, forKey: "size")
    try object.encode(virtualSize, forKey: "virtual_size")
    try object.encode(checksum, forKey: "checksum")
    try object.encode(osHashAlgo, forKey: "os_hash_algo")
    try object.encode(osHashValue, forKey: "os_hash_value")
    try object.encodeIfPresent(osHidden, forKey: "os_hidden")
    try object.encode(minDisk, forKey: "min_disk")
    try object.encode(minRAM, forKey: "min_ram")
    try object.encode(visibility, forKey: "visibility")
    try object.encode(owner, forKey: "owner")
    try object.encode(protected, forKey: "protected")
    try object.encode(tags, forKey: "tags")
    try object.encode(createdAt, forKey: "created_at")
    try object.encode(updatedAt, forKey: "updated_at")
    try object.encodeIfPresent(file, forKey: "file")
    try object.encodeIfPresent(schema, forKey: "schema")
    try object.encodeIfPresent(selfLink, forKey: "self")
  }
}
