/// A key in Glance's image JSON, where base attributes and free properties share one object.
struct AttributeName: CodingKey, ExpressibleByStringLiteral {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init(stringLiteral name: String) { stringValue = name }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }

  /// The attributes that ``ImageRecord`` knows by name.
  static let base: Set<String> = [
    "id", "name", "status", "disk_format", "container_format", "size", "virtual_size", "checksum",
    "os_hash_algo", "os_hash_value", "os_hidden", "min_disk", "min_ram", "visibility", "owner",
    "protected", "tags", "created_at", "updated_at", "file", "schema", "self",
  ]

  /// What Glance refuses as the key of a property: base attributes, and names of its own.
  static let reserved = base.union([
    "deleted", "deleted_at", "direct_url", "is_public", "location", "locations", "members",
    "stores",
  ])
}
