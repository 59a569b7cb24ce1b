/// Why something could not be done with an image or an image service.
public struct ImageServiceError: Error {
  /// What happened, for programs.
  public let code: Code
  /// What happened, for people: past tense, with the URL, path, image id or numbers it concerns.
  public let reason: String
  /// What to do about it: one sentence or a command to paste.
  public let remedy: String
  /// The error below this one, as it was.
  public let cause: (any Error)?

  /// Makes an error.
  public init(_ code: Code, reason: String, remedy: String, cause: (any Error)? = nil) {
    self.code = code
    self.reason = reason
    self.remedy = remedy
    self.cause = cause
  }

  /// Whether the same call may succeed a little later without anything being changed.
  public var isTransient: Bool {
    switch code {
    case .unreachable, .connectionLost, .unavailable, .timedOut: true
    default: false
    }
  }
}

extension ImageServiceError: CustomStringConvertible {
  /// Reason and remedy; the cause is left out, since others' errors may say anything.
  public var description: String { "\(reason) \(remedy)" }
}

extension ImageServiceError {
  /// What happened. New codes may appear, so a `switch` needs a default.
  public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The name of the code.
    public let rawValue: String

    /// Takes any name.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The name of the code.
    public var description: String { rawValue }

    /// A setting is missing, contradictory or not supported.
    public static let badConfiguration = Self(rawValue: "badConfiguration")
    /// No connection could be made.
    public static let unreachable = Self(rawValue: "unreachable")
    /// The connection broke in the middle.
    public static let connectionLost = Self(rawValue: "connectionLost")
    /// Nothing moved for longer than the limit.
    public static let timedOut = Self(rawValue: "timedOut")
    /// The caller's task was cancelled.
    public static let cancelled = Self(rawValue: "cancelled")
    /// The service did not accept the request as written (400).
    public static let badRequest = Self(rawValue: "badRequest")
    /// The credentials or the token were refused (401).
    public static let unauthorized = Self(rawValue: "unauthorized")
    /// A policy or a protection forbids it (403).
    public static let forbidden = Self(rawValue: "forbidden")
    /// There is no such thing (404).
    public static let notFound = Self(rawValue: "notFound")
    /// The image is not in the state for it (409).
    public static let conflict = Self(rawValue: "conflict")
    /// A quota or size limit of the service (413).
    public static let tooLarge = Self(rawValue: "tooLarge")
    /// The content is not what `disk_format` says (415).
    public static let unsupportedMedia = Self(rawValue: "unsupportedMedia")
    /// The service or what is behind it failed (5xx).
    public static let unavailable = Self(rawValue: "unavailable")
    /// The answer made no sense: HTML, truncated JSON, too long, a redirect elsewhere.
    public static let badAnswer = Self(rawValue: "badAnswer")
    /// The stored bytes have another hash than those sent.
    public static let hashMismatch = Self(rawValue: "hashMismatch")
    /// The stored length is another than the one sent.
    public static let sizeMismatch = Self(rawValue: "sizeMismatch")
    /// Somebody deleted the image during the run.
    public static let imageGone = Self(rawValue: "imageGone")
    /// The service gave the image up (`killed`).
    public static let imageKilled = Self(rawValue: "imageKilled")
    /// The whole image was sent, and the service does not say in time what became of it.
    public static let imageUnsettled = Self(rawValue: "imageUnsettled")
    /// The service dropped the data: the image went back to `queued`.
    public static let imageRequeued = Self(rawValue: "imageRequeued")
    /// An administrator deactivated the image.
    public static let imageDeactivated = Self(rawValue: "imageDeactivated")
    /// The output exists already.
    public static let fileExists = Self(rawValue: "fileExists")
    /// A directory is missing, is a link, or has the wrong permissions.
    public static let badDirectory = Self(rawValue: "badDirectory")
    /// The disk is full.
    public static let noSpace = Self(rawValue: "noSpace")
    /// A file could not be written.
    public static let writeFailed = Self(rawValue: "writeFailed")
    /// The image name is not allowed.
    public static let invalidName = Self(rawValue: "invalidName")
    /// A property or attribute is not allowed.
    public static let invalidMetadata = Self(rawValue: "invalidMetadata")
    /// The image's bytes could not be read.
    public static let bodyFailed = Self(rawValue: "bodyFailed")
  }

  /// Matches by code, so that `catch ImageServiceError.Code.conflict` works.
  public static func ~= (code: Code, error: ImageServiceError) -> Bool { error.code == code }
}
