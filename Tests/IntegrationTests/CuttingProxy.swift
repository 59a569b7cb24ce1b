/// Stands before the lab's Glance and passes every byte on, but breaks the first uploads off at a
/// chosen byte, as a Glance does that dies there. The real one can't be killed to the byte.
enum CuttingProxy {
  /// Runs a body while the proxy listens; gives it the variables with which it is taken for Glance.
  ///
  /// - Parameters:
  ///   - count: how many uploads are broken off; those after it pass.
  ///   - byteCount: after how many bytes of the body.
  /// - Returns: how many uploads there were.
  static func run(
    cutting count: Int, after byteCount: Int, _ body: ([String: String]) async throws -> Void
  ) async throws -> Int {
    try await Front.run("cutting_proxy.py", "\(count)", "\(byteCount)", body: body)
  }
}
