/// Where images go when no image service is configured.
public enum DefaultImageFolder {
  /// `/var/lib/image-create/images` for root; otherwise `image-create/images` below
  /// `$XDG_DATA_HOME`, or below `~/.local/share`.
  ///
  /// - Returns: nil if there is neither an absolute `XDG_DATA_HOME` nor an absolute `HOME`.
  public static func path(userID: UInt32, environment: [String: String]) -> String? {
    guard userID != 0 else { return "/var/lib/image-create/images" }
    // The XDG specification: a path that is not absolute is to be ignored.
    func absolute(_ name: String) -> String? {
      environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    let data = absolute("XDG_DATA_HOME") ?? absolute("HOME").map { $0 + "/.local/share" }
    return data.map { $0 + "/image-create/images" }
  }
}
