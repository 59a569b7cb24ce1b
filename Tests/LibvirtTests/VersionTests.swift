import Libvirt
import Testing

@Suite struct VersionTests {
  static let numbers: [(UInt, String)] = [
    (0, "0.0.0"), (9_000_000, "9.0.0"), (7_002_022, "7.2.22"), (1_000_006, "1.0.6"),
    (10_010_000, "10.10.0"), (999, "0.0.999"), (123_456_789, "123.456.789"),
  ]

  @Test(arguments: numbers)
  func `libvirt's number is taken apart`(_ number: UInt, text: String) {
    let version = Version(libvirt: number)
    #expect(version.description == text)
    #expect(version.major * 1_000_000 + version.minor * 1000 + version.release == number)
  }

  @Test func `versions are ordered by number and not by text`() {
    let ordered = [
      Version(0, 9, 13), Version(1, 0), Version(1, 0, 6), Version(1, 3), Version(3, 5),
      Version(7, 2), Version(7, 2, 1), Version(7, 10), Version(10, 0),
    ]
    #expect(ordered.shuffled().sorted() == ordered)
    for (index, version) in ordered.enumerated() {
      #expect(!(version < version))
      for later in ordered[(index + 1)...] {
        #expect(version < later)
        #expect(!(later < version))
        #expect(version != later)
      }
    }
  }

  @Test func `the release is 0 where it is left away`() {
    #expect(Version(7, 2) == Version(7, 2, 0))
    #expect(Version(7, 2) == Version(libvirt: 7_002_000))
  }
}
