/// How long to wait, and how often to try again. There is no limit on a whole upload.
public struct TimeLimits: Sendable {
  /// The longest time without any traffic, and the longest time for a connection.
  public var idle: Duration
  /// The longest wait for the answer after the last byte of an upload: the service may be hashing
  /// or copying then.
  public var uploadAnswer: Duration
  /// The longest time for a whole answer, however it drips: all of a small request, and after the
  /// ``uploadAnswer`` that of an upload.
  public var answer: Duration
  /// The longest time without any change of an image that is not yet active.
  public var activation: Duration
  /// A token that lives shorter than this is renewed before an upload.
  public var tokenMargin: Duration
  /// The first pause between two looks at an image; it doubles up to ``longestPause``.
  public var firstPause: Duration
  /// The longest pause between two looks at an image.
  public var longestPause: Duration
  /// How often a small request is sent again after its connection broke.
  public var retries: Int

  /// Limits that suit a real service.
  public init(
    idle: Duration = .seconds(60),
    uploadAnswer: Duration = .seconds(1200),
    answer: Duration = .seconds(300),
    activation: Duration = .seconds(600),
    tokenMargin: Duration = .seconds(300),
    firstPause: Duration = .milliseconds(200),
    longestPause: Duration = .seconds(2),
    retries: Int = 2
  ) {
    self.idle = idle
    self.uploadAnswer = uploadAnswer
    self.answer = answer
    self.activation = activation
    self.tokenMargin = tokenMargin
    self.firstPause = firstPause
    self.longestPause = longestPause
    self.retries = retries
  }
}
