import Crypto
import Foundation

/// A hash that an image service may compare images with, by the name it has there.
public enum HashAlgorithm: String, Sendable, CaseIterable {
  /// Glance's default since Rocky.
  case sha512
  /// SHA-384.
  case sha384
  /// SHA-256.
  case sha256
  /// SHA-1, which is broken; a Glance may be set to it all the same.
  case sha1
  /// MD5, which is broken; Glance's `checksum`.
  case md5

  /// A service's name for it, whatever its case.
  init?(service name: String?) {
    guard let name, let known = Self(rawValue: name.lowercased()) else { return nil }
    self = known
  }

  /// The name in messages.
  var title: String {
    switch self {
    case .sha512: "SHA-512"
    case .sha384: "SHA-384"
    case .sha256: "SHA-256"
    case .sha1: "SHA-1"
    case .md5: "MD5"
    }
  }

  var function: any HashFunction {
    switch self {
    case .sha512: SHA512()
    case .sha384: SHA384()
    case .sha256: SHA256()
    case .sha1: Insecure.SHA1()
    case .md5: Insecure.MD5()
    }
  }
}
