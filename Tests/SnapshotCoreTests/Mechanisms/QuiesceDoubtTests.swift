import Testing

@testable import SnapshotCore

@Suite struct QuiesceDoubtTests {
  @Test(
    "A freeze that did not hold is not quiesced",
    arguments: [
      (3, 3, true), (3, 2, true), (3, 0, false), (0, 0, false),
    ])
  func doubt(_ frozen: Int, _ thawed: Int, _ isQuiesced: Bool) {
    #expect((Quiesce.doubt(frozen: frozen, thawed: thawed) == nil) == isQuiesced)
  }
}
