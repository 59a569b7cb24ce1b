/// What was really sent, computed while sending.
public struct Receipt: Sendable, Equatable {
  /// The number of bytes sent.
  public let byteCount: Int64
  /// The hash of the bytes, in lowercase hex.
  public let hash: String
  /// The algorithm behind ``hash``.
  public let algorithm: HashAlgorithm

  /// A receipt for bytes that were sent.
  public init(byteCount: Int64, hash: String, algorithm: HashAlgorithm = .sha512) {
    self.byteCount = byteCount
    self.hash = hash
    self.algorithm = algorithm
  }
}

/// Who a token speaks for.
public struct Requester: Sendable, Equatable {
  /// Keystone's user id.
  public let userID: String
  /// Keystone's project id.
  public let projectID: String

  /// Names a user in a project.
  public init(userID: String, projectID: String) {
    self.userID = userID
    self.projectID = projectID
  }
}
