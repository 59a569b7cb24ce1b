/// A version of libvirt or of a hypervisor, compared part by part.
public struct Version: Comparable, Hashable, Sendable, CustomStringConvertible {
  /// The first number.
  public let major: UInt
  /// The second number.
  public let minor: UInt
  /// The third number.
  public let release: UInt

  /// Makes a version from its parts.
  public init(_ major: UInt, _ minor: UInt, _ release: UInt = 0) {
    self.major = major
    self.minor = minor
    self.release = release
  }

  /// Takes apart libvirt's form: major × 1,000,000 + minor × 1,000 + release.
  public init(libvirt number: UInt) {
    self.init(number / 1_000_000, number / 1000 % 1000, number % 1000)
  }

  /// `9.0.0`.
  public var description: String { "\(major).\(minor).\(release)" }

  /// Orders by major, then minor, then release.
  public static func < (left: Version, right: Version) -> Bool {
    (left.major, left.minor, left.release) < (right.major, right.minor, right.release)
  }
}
