import Foundation
import Logging
import Testing

@testable import ImageCreateCommand

/// The log of a run.
@Suite struct RunLogTests {
  @Test func `a line of the log file has the details, in one order and without control characters`()
    async throws
  {
    let path = NSTemporaryDirectory() + "image-create-log-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var log = try RunLog.logger(verbose: false, file: path)
    log[metadataKey: "run"] = "7"
    log.info("image sent", metadata: ["id": "abc", "bytes": "12\n3"])
    log.info("answered", metadata: ["request_id": "req-1"])
    log.debug("a detail")
    await Terminal.flush()
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(
      lines.map { $0.split(separator: " ").dropFirst().joined(separator: " ") } == [
        "info: image sent bytes=12\\u{a}3 id=abc run=7", "info: answered request_id=req-1 run=7",
      ])
  }
}
