import Foundation
import Testing

extension IntegrationTests {
  /// Runs that are killed.
  @Suite(.serialized)
  struct Torture {
    @Test func `Whatever a killed run has left, --recover undoes`() async throws {
      try Lab.require()
      // The harness looks at folders and programs of the whole machine: nothing else may move.
      try await Scratch.folder { folder in
        let outcome = try await Lab.run(
          Lab.root + "/scripts/torture", ["--bounded", "--output", folder + "/table.md"],
          environment: ["IMAGE_CREATE": Lab.program])
        #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.errors)")
      }
    }
  }
}
