/// How long to wait, and how often to try again. There is no limit on a whole upload.
public struct TimeLimits: Sendable {
  /// The longest time without any traffic of a small request, and the longest time for a connection.
  public var idle: Duration
  /// The longest time in which the service takes no byte of an upload. A proxy that buffers pauses
  /// now and then.
  public var stall: Duration
  /// The longest time for a whole answer, however it drips.
  public var answer: Duration
  /// How long the service may be away, or leave an image as it is, after the last byte of an
  /// upload. A large image gets more; see ``afterUpload(of:)``.
  public var patience: Duration
  /// A token that lives shorter than this is renewed before an upload.
  public var tokenMargin: Duration
  /// The first pause between two looks at an image; it doubles up to ``longestPause``.
  public var firstPause: Duration
  /// The longest pause between two looks at an image.
  public var longestPause: Duration
  /// The pause between two looks at an image while the answer to its upload is awaited.
  public var lookPause: Duration
  /// How long an image may stay `queued` after its last byte was sent: a proxy that buffers uploads
  /// may be about to begin.
  public var grace: Duration
  /// How often a small request is sent again.
  public var retries: Int
  /// The pause before a small request is sent again; it doubles up to 15 seconds.
  public var retryPause: Duration
  /// The longest time from the first attempt of a small request to its last.
  public var retryBudget: Duration

  /// Limits that suit a real service.
  public init(
    idle: Duration = .seconds(60),
    stall: Duration = .seconds(120),
    answer: Duration = .seconds(300),
    patience: Duration = .seconds(600),
    tokenMargin: Duration = .seconds(300),
    firstPause: Duration = .milliseconds(200),
    longestPause: Duration = .seconds(2),
    lookPause: Duration = .seconds(10),
    grace: Duration = .seconds(3),
    retries: Int = 7,
    retryPause: Duration = .milliseconds(500),
    retryBudget: Duration = .seconds(60)
  ) {
    self.idle = idle
    self.stall = stall
    self.answer = answer
    self.patience = patience
    self.tokenMargin = tokenMargin
    self.firstPause = firstPause
    self.longestPause = longestPause
    self.lookPause = lookPause
    self.grace = grace
    self.retries = retries
    self.retryPause = retryPause
    self.retryBudget = retryBudget
  }

  /// A service that hashes, copies or replays an image does so at this rate at least, in bytes per
  /// second.
  static let slowestRate: Int64 = 5_000_000

  /// The longest wait after the last byte of an upload of this length.
  package func afterUpload(of byteCount: Int64) -> Duration {
    patience + .milliseconds(max(0, byteCount) / (Self.slowestRate / 1000))
  }
}

extension Duration {
  /// For messages: `2 s`, `1.5 s`, `10 min`.
  var text: String {
    let seconds = Double(components.seconds) + Double(components.attoseconds) / 1e18
    if seconds >= 600 { return "\(Int((seconds / 60).rounded())) min" }
    let tenths = Int((seconds * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
  }
}
