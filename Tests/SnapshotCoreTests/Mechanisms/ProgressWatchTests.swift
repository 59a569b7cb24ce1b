import Testing

@testable import SnapshotCore

@Suite struct ProgressWatchTests {
  /// With a limit of 10 s: what is read at which second, and whether the job counts as alive.
  static let table: [(String, [(value: UInt64, second: Int, isAlive: Bool)])] = [
    ("moves all the time", (0..<100).map { (UInt64($0), $0 * 10, true) }),
    ("stands still", [(7, 0, true), (7, 10, true), (7, 11, false)]),
    ("stands still from the first reading", [(0, 100, true), (0, 110, true), (0, 111, false)]),
    ("moves backwards", [(7, 0, true), (6, 10, true), (6, 20, true), (6, 21, false)]),
    ("moves at the last moment", [(7, 0, true), (7, 9, true), (8, 30, true), (8, 41, false)]),
  ]

  @Test(arguments: table)
  func `a job is given up when nothing has changed for longer than the limit, and not before`(
    _ name: String, readings: [(value: UInt64, second: Int, isAlive: Bool)]
  ) {
    var watch = ProgressWatch(limit: .seconds(10))
    let start = ContinuousClock.now
    for reading in readings {
      let isAlive = watch.sees(reading.value, at: start + .seconds(reading.second))
      #expect(isAlive == reading.isAlive, "\(name), at \(reading.second) s")
    }
  }

  @Test(arguments: [
    ("/images/a.qcow2", "/images/a.qcow2"),
    ("it's", "it&apos;s"),
    ("a&b<c", "a&amp;b&lt;c"),
    ("&amp;", "&amp;amp;"),
    ("\"quoted\" > Ü", "\"quoted\" > Ü"),
  ])
  func `a path is safe between the apostrophes of an XML attribute`(
    _ text: String, escaped: String
  ) throws {
    #expect(text.escapedForXML == escaped)
    let xml = """
      <domain><name>n</name><uuid>u</uuid><devices><disk type='file'>
      <source file='\(text.escapedForXML)'/></disk></devices></domain>
      """
    #expect(try DomainXML.parse(xml).disks.first?.source == .file(text))
  }
}
