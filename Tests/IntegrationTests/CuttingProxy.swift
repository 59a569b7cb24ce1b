import Foundation
import Subprocess
import Testing

/// Stands before the lab's Glance and passes every byte on, but breaks the first uploads off at a
/// chosen byte, as a Glance does that dies there. The real one can't be killed to the byte.
enum CuttingProxy {
  /// Where an upload breaks off.
  enum Cut: Sendable, Equatable, CustomTestStringConvertible {
    /// After so many bytes of its body.
    case body(Int)
    /// When its answer comes.
    case answer

    var testDescription: String {
      switch self {
      case .body(let count): "after \(count) bytes"
      case .answer: "before the answer"
      }
    }

    fileprivate var argument: String {
      switch self {
      case .body(let count): "\(count)"
      case .answer: "answer"
      }
    }
  }

  /// Runs a body while the proxy listens; gives it the variables with which it is taken for Glance.
  ///
  /// - Parameter count: how many uploads are broken off; those after it pass.
  /// - Returns: how many uploads there were.
  static func run(
    cutting count: Int, _ cut: Cut, _ body: ([String: String]) async throws -> Void
  ) async throws -> Int {
    try Lab.require()
    let glance = URL(string: Cloud.url)?.port ?? 9292
    let script = Lab.root + "/scripts/lab.d/cutting_proxy.py"
    return try await Subprocess.run(
      .name("python3"), arguments: [script, "\(glance)", "\(count)", cut.argument],
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
