internal import CLibvirt
internal import Glibc

/// A call of libvirt's C API that failed, with what libvirt said of it.
///
/// Source: `virGetLastError` of the thread that made the call.
public struct LibvirtError: Error, Sendable, CustomStringConvertible {
  /// libvirt's error number (`virErrorNumber`), matched by value and never by message.
  public struct Code: RawRepresentable, Hashable, Sendable {
    /// The number, as in `virErrorNumber`.
    public let rawValue: Int32
    /// Wraps a number of `virErrorNumber`.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// `VIR_ERR_INTERNAL_ERROR` (1).
    public static let internalError = Code(rawValue: 1)
    /// `VIR_ERR_NO_SUPPORT` (3): the driver does not have this call.
    public static let noSupport = Code(rawValue: 3)
    /// `VIR_ERR_OPERATION_FAILED` (9).
    public static let operationFailed = Code(rawValue: 9)
    /// `VIR_ERR_OPERATION_DENIED` (29): not over a read-only connection.
    public static let operationDenied = Code(rawValue: 29)
    /// `VIR_ERR_SYSTEM_ERROR` (38): an errno of the daemon or of the socket to it.
    public static let systemError = Code(rawValue: 38)
    /// `VIR_ERR_NO_DOMAIN` (42).
    public static let noDomain = Code(rawValue: 42)
    /// `VIR_ERR_AUTH_FAILED` (45).
    public static let authFailed = Code(rawValue: 45)
    /// `VIR_ERR_OPERATION_INVALID` (55): not in this state.
    public static let operationInvalid = Code(rawValue: 55)
    /// `VIR_ERR_CONFIG_UNSUPPORTED` (67).
    public static let configUnsupported = Code(rawValue: 67)
    /// `VIR_ERR_OPERATION_TIMEOUT` (68): often the state change lock, after 30 s.
    public static let operationTimeout = Code(rawValue: 68)
    /// `VIR_ERR_ARGUMENT_UNSUPPORTED` (74).
    public static let argumentUnsupported = Code(rawValue: 74)
    /// `VIR_ERR_AUTH_CANCELLED` (79).
    public static let authCancelled = Code(rawValue: 79)
    /// `VIR_ERR_OPERATION_UNSUPPORTED` (84): not with this hypervisor, or not now.
    public static let operationUnsupported = Code(rawValue: 84)
    /// `VIR_ERR_ACCESS_DENIED` (88): the daemon's access control refused.
    public static let accessDenied = Code(rawValue: 88)
    /// `VIR_ERR_AUTH_UNAVAILABLE` (94): for example no polkit agent.
    public static let authUnavailable = Code(rawValue: 94)
    /// `VIR_ERR_NO_DOMAIN_BACKUP` (104): no backup job runs.
    public static let noDomainBackup = Code(rawValue: 104)
    /// `VIR_ERR_AGENT_UNRESPONSIVE` (86).
    public static let agentUnresponsive = Code(rawValue: 86)
  }

  /// The C function that failed, for example `virDomainManagedSave`.
  public let operation: String
  /// What it was called on: a server's name, a URI, a disk's target.
  public let object: String
  /// libvirt's error number.
  public let code: Code
  /// libvirt's error domain (`virErrorDomain`): the part of libvirt that failed.
  public let domain: Int32
  /// libvirt's message, on one line.
  public let message: String
  /// The errno of a ``Code/systemError`` (`int1` of `virError`); 0 if it has none.
  package let systemNumber: Int32

  /// Makes an error from parts, for errors that libvirt itself did not report.
  public init(
    operation: String, object: String, code: Code, domain: Int32 = 0, message: String
  ) {
    self.init(
      operation: operation, object: object, code: code, domain: domain, message: message,
      systemNumber: 0)
  }

  package init(
    operation: String, object: String, code: Code, domain: Int32 = 0, message: String,
    systemNumber: Int32
  ) {
    self.operation = operation
    self.object = object
    self.code = code
    self.domain = domain
    self.message = message
    self.systemNumber = systemNumber
  }

  /// Whether this user may not do it: the daemon or its socket refused.
  package var isPermissionDenied: Bool {
    switch code {
    case .authFailed, .authCancelled, .authUnavailable, .accessDenied, .operationDenied: true
    case .systemError: systemNumber == EACCES || systemNumber == EPERM
    default: false
    }
  }

  /// The operation, its object, the message and the numbers, on one line.
  public var description: String {
    "\(operation) on \(object) failed: \(message) (libvirt code \(code.rawValue), domain \(domain))"
  }

  /// How long an ordinary call may take: the state change lock alone is waited for for 30 s, and an
  /// agent as long as it was told.
  static let usualLimit = Duration.seconds(90)
  /// The same where memory is written to a disk or read from it.
  static let memoryLimit = Duration.seconds(3600)

  /// A call that the daemon did not answer in time.
  static func noAnswer(operation: String, object: String, _ limit: Duration) -> LibvirtError {
    LibvirtError(
      operation: operation, object: object, code: .operationTimeout,
      message: "the daemon gave no answer within \(limit.components.seconds) s")
  }

  /// Reads this thread's last libvirt error; must run on the thread that made the call.
  static func last(operation: String, object: String) -> LibvirtError {
    guard let error = unsafe virGetLastError() else {
      return LibvirtError(
        operation: operation, object: object, code: .internalError, message: "no reason was given")
    }
    let text = unsafe error.pointee.message.map { unsafe String(cString: $0) } ?? "no reason"
    return LibvirtError(
      operation: operation, object: object,
      code: Code(rawValue: unsafe error.pointee.code), domain: unsafe error.pointee.domain,
      message: text.split(whereSeparator: \.isNewline).joined(separator: " "),
      systemNumber: unsafe error.pointee.int1)
  }
}
