/// What was really sent, computed while sending.
public struct Receipt: Sendable, Equatable {
  /// The number of bytes sent.
  public let byteCount: Int64
  /// The SHA-512 of the bytes, in lowercase hex.
  public let sha512: String

  /// A receipt for bytes that were sent.
  public init(byteCount: Int64, sha512: String) {
    self.byteCount = byteCount
    self.sha512 = sha512
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
