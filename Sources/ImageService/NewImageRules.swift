extension NewImage {
  /// Checks what Glance and Nova would refuse, so that it is refused before a disk is touched.
  ///
  /// The key pattern and the length of a value are Nova's, which is stricter than Glance.
  ///
  /// - Throws: `invalidName` or `invalidMetadata`.
  public func checkRules() throws(ImageServiceError) {
    try checkName()
    try checkAttributes()
    for (key, value) in properties.sorted(by: { $0.key < $1.key }) {
      try Self.checkProperty(key, value)
    }
  }

  /// Checks for what Glance calls 4 byte unicode: its database once could not store that.
  ///
  /// - Throws: `invalidName` or `invalidMetadata`.
  func checkBasicPlane() throws(ImageServiceError) {
    func isBeyond(_ text: String) -> Bool { text.unicodeScalars.contains { $0.value > 0xFFFF } }
    guard !isBeyond(name) else {
      throw ImageServiceError(
        .invalidName,
        reason: "The image name \(name.quoted) contained a character beyond U+FFFF.",
        remedy: "Choose an image name without emoji: Glance refuses them.")
    }
    if let key = properties.keys.sorted().first(where: { isBeyond(properties[$0] ?? "") }) {
      throw ImageServiceError(
        .invalidMetadata,
        reason: "The value of property \(key) contained a character beyond U+FFFF.",
        remedy: "Remove emoji from the value of \(key): Glance refuses them.")
    }
  }

  private func checkName() throws(ImageServiceError) {
    guard (1...255).contains(name.unicodeScalars.count) else {
      throw ImageServiceError(
        .invalidName,
        reason: "The image name had \(name.unicodeScalars.count) characters; 1 to 255 are allowed.",
        remedy: "Choose another image name.")
    }
    // A line break in a name breaks every table and log it is printed in.
    guard !name.unicodeScalars.contains(where: \.isControl) else {
      throw ImageServiceError(
        .invalidName,
        reason: "The image name \(name.quoted) contained a control character.",
        remedy: "Choose an image name without line breaks and control characters.")
    }
    guard name.contains(where: { !$0.isWhitespace }) else {
      throw ImageServiceError(
        .invalidName,
        reason: "The image name was blank.",
        remedy: "Choose an image name with visible characters.")
    }
  }

  private func checkAttributes() throws(ImageServiceError) {
    for (attribute, format) in [("disk_format", diskFormat), ("container_format", containerFormat)]
    {
      // The disk format also becomes a file name extension in a local image folder.
      guard (1...20).contains(format.utf8.count), format.utf8.allSatisfy(\.isFormatCharacter) else {
        throw ImageServiceError(
          .invalidMetadata,
          reason: "\(format.quoted) was not a \(attribute) that Glance knows.",
          remedy: "Use a \(attribute) such as raw, qcow2 or bare.")
      }
    }
    for (attribute, number) in [("min_disk", minDisk), ("min_ram", minRAM)] {
      guard (0...Int(Int32.max)).contains(number) else {
        throw ImageServiceError(
          .invalidMetadata,
          reason: "\(attribute) was \(number); 0 to \(Int32.max) are allowed.",
          remedy: "Give another \(attribute).")
      }
    }
    guard ["private", "shared", "community", "public"].contains(visibility) else {
      throw ImageServiceError(
        .invalidMetadata,
        reason: "\(visibility.quoted) was not a visibility that Glance knows.",
        remedy: "Use private, shared, community or public.")
    }
  }

  private static func checkProperty(_ key: String, _ value: String) throws(ImageServiceError) {
    guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy(\.isPropertyKeyCharacter) else {
      throw ImageServiceError(
        .invalidMetadata,
        reason: "The property key \(key.quoted) did not match [a-zA-Z0-9-_:. ]{1,255}.",
        remedy: "Rename the property.")
    }
    guard !key.hasPrefix("os_glance"), !AttributeName.reserved.contains(key) else {
      throw ImageServiceError(
        .invalidMetadata,
        reason: "The property key \(key.quoted) is reserved by Glance.",
        remedy: "Leave the property \(key) out.")
    }
    guard value.unicodeScalars.count <= 255 else {
      throw ImageServiceError(
        .invalidMetadata,
        reason:
          "The value of property \(key) had \(value.unicodeScalars.count) characters; "
          + "at most 255 are allowed.",
        remedy: "Shorten the value of \(key).")
    }
    guard !value.unicodeScalars.contains("\0") else {
      throw ImageServiceError(
        .invalidMetadata,
        reason: "The value of property \(key) contained a NUL character.",
        remedy: "Remove the NUL character from the value of \(key).")
    }
  }
}

extension Unicode.Scalar {
  /// C0, DEL, C1, and the two separators that terminals and logs treat as line breaks.
  var isControl: Bool {
    properties.generalCategory == .control || self == "\u{2028}" || self == "\u{2029}"
  }
}

extension UInt8 {
  fileprivate var isAlphanumeric: Bool {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: false
    }
  }

  fileprivate var isPropertyKeyCharacter: Bool { isAlphanumeric || "-_:. ".utf8.contains(self) }

  fileprivate var isFormatCharacter: Bool { isAlphanumeric || "-_".utf8.contains(self) }
}
