import Foundation
import Testing

@testable import SnapshotCore

@Suite struct ProvenanceTests {
  @Test func `an image says how it came about`() {
    let provenance = Provenance(
      mechanism: .backup, quiescing: .quiesced(fileSystems: 2), instant: "2026-11-24T08:00:00Z")
    #expect(
      provenance.properties == [
        "image_create:mechanism": "backup", "image_create:quiesced": "yes",
        "image_create:point_in_time": "2026-11-24T08:00:00Z",
      ])
  }

  static let reasons = [
    ("no guest agent is connected", "no: no guest agent is connected"),
    ("the agent said \u{1B}[2J\n\u{0}so", "no: the agent said [2Jso"),
    ("because \u{1F600}", "no: because "),
    (String(repeating: "x", count: 300), "no: " + String(repeating: "x", count: 251)),
  ]

  @Test(arguments: reasons)
  func `why it is not quiesced is within what Glance takes`(_ reason: String, _ value: String) {
    let provenance = Provenance(
      mechanism: .copy, quiescing: .notQuiesced(because: reason), instant: nil)
    #expect(provenance.properties["image_create:quiesced"] == value)
    #expect(provenance.properties["image_create:point_in_time"] == nil)
  }

  @Test func `the instant is the first that was noted, in UTC`() throws {
    let instant = Instant()
    #expect(instant.text == nil)
    instant.noteIfUnknown()
    let text = try #require(instant.text)
    #expect(text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil, "\(text)")
    let time = try Date(text, strategy: .iso8601)
    #expect(abs(time.timeIntervalSinceNow) < 5)
  }
}
