import Foundation
import ImageService

/// A body made of a repeated byte pattern; can fail, lie about its length, or be slow.
struct PatternBody: ImageBody {
  struct Broken: Error {}

  var length: Int
  var announced: Int64?
  var failsAt: Int?
  var delay: TimeInterval = 0
  var firstDelay: TimeInterval = 0

  init(
    _ length: Int, announced: Int64? = nil, failsAt: Int? = nil, delay: TimeInterval = 0,
    firstDelay: TimeInterval = 0
  ) {
    self.length = length
    self.announced = announced ?? Int64(length)
    self.failsAt = failsAt
    self.delay = delay
    self.firstDelay = firstDelay
  }

  var byteCount: Int64? { announced }

  /// A prime length, so that a block lost or sent twice does not go unnoticed.
  static let pattern = Data((0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) })

  var data: Data { slice(0..<length) }

  fileprivate func slice(_ range: Range<Int>) -> Data {
    var data = Data(capacity: range.count)
    var offset = range.lowerBound
    while offset < range.upperBound {
      let start = offset % Self.pattern.count
      let end = min(Self.pattern.count, start + range.upperBound - offset)
      data += Self.pattern[start..<end]
      offset += end - start
    }
    return data
  }

  func makeReader() throws -> any ImageBodyReader { Reader(body: self) }

  private final class Reader: ImageBodyReader {
    private let body: PatternBody
    private var offset = 0

    init(body: PatternBody) { self.body = body }

    func read(upTo limit: Int) throws -> Data? {
      let delay = offset == 0 ? max(body.delay, body.firstDelay) : body.delay
      if delay > 0 { Thread.sleep(forTimeInterval: delay) }
      let end = min(body.length, offset + min(limit, 100_000), body.failsAt ?? .max)
      if let failsAt = body.failsAt, offset >= failsAt { throw Broken() }
      guard offset < end else { return nil }
      defer { offset = end }
      return body.slice(offset..<end)
    }

    func close() {}
  }
}
