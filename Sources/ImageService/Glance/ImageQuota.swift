import Foundation

/// What Glance's `GET /v2/info/usage` says of a project's limits, and whether one more image fits.
///
/// Glance answers an empty object where it keeps no limits in Keystone (`use_keystone_limits`), and
/// 404 before Xena.
struct ImageQuota: Decodable, Equatable {
  struct Quota: Decodable, Equatable {
    let usage: Int64
    /// -1 is no limit.
    let limit: Int64
  }

  let usage: [String: Quota]

  /// - Throws: `tooLarge`, naming what is used, the limit and what is needed.
  func check(expectedBytes: Int64) throws(ImageServiceError) {
    let mebibytes = max(0, expectedBytes).dividedRoundingUp(by: 1 << 20)
    try check("image_count_total", needed: 1, unit: "images", of: "images")
    try check("image_count_uploading", needed: 1, unit: "uploads", of: "uploads under way")
    try check("image_size_total", needed: mebibytes, unit: "MiB", of: "image data")
  }

  private func check(
    _ name: String, needed: Int64, unit: String, of what: String
  ) throws(ImageServiceError) {
    guard let quota = usage[name], quota.limit >= 0 else { return }
    let (sum, overflows) = quota.usage.addingReportingOverflow(needed)
    guard overflows || sum > quota.limit else { return }
    throw ImageServiceError(
      .tooLarge,
      reason:
        "The project's quota of \(what) (\(name)) did not suffice: \(quota.usage) of \(quota.limit) "
        + "\(unit) were used, and \(needed) more were needed.",
      remedy: "Delete images you no longer need, or ask for a larger quota.")
  }
}

extension Int64 {
  fileprivate func dividedRoundingUp(by divisor: Int64) -> Int64 {
    let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
    return rest == 0 ? quotient : quotient + 1
  }
}
