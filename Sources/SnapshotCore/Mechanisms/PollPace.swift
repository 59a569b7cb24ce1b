/// How long to wait between two looks at something that takes milliseconds or hours: a tenth of the
/// time so far, within bounds.
struct PollPace: Sendable {
  private var passed = Duration.zero

  /// How long to wait before the next look.
  mutating func next() -> Duration {
    let pause = min(max(passed / 10, .milliseconds(100)), .seconds(2))
    passed += pause
    return pause
  }
}
