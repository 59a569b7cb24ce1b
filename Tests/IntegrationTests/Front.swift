import Foundation
import Subprocess
import Testing

/// A script of `scripts/lab.d` that stands before the lab's Glance.
enum Front {
  /// Runs a body while the script listens; gives it the variables with which it is taken for Glance.
  ///
  /// - Returns: how many uploads there were.
  static func run(
    _ name: String, _ arguments: String..., body: ([String: String]) async throws -> Void
  ) async throws -> Int {
    try Lab.require()
    let glance = URL(string: Cloud.url)?.port ?? 9292
    let script = Lab.root + "/scripts/lab.d/" + name
    return try await Subprocess.run(
      .name("python3"), arguments: Arguments([script, "\(glance)"] + arguments),
      input: .none, output: .sequence, error: .discarded
    ) { execution in
      var lines = execution.standardOutput.strings().makeAsyncIterator()
      let port = try #require(try await lines.next())
      let url = "http://127.0.0.1:\(port)"
      do {
        try await body(Lab.openrc.merging(["OS_IMAGE_ENDPOINT_OVERRIDE": url]) { $1 })
      } catch {
        try execution.send(signal: .kill)
        throw error
      }
      try execution.send(signal: .kill)
      var uploads = 0
      while try await lines.next() != nil { uploads += 1 }
      return uploads
    }.closureResult
  }
}
