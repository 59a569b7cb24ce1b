public import Libvirt

/// Finds the server that a user named: by UUID, by name, by a name typed loosely, then by id, in
/// nova's order and with nova's messages.
public enum ServerLookup {
  /// - Throws: `serverNotFound`, `severalServers` or `libvirtFailed`.
  public static func find(_ text: String, on connection: Connection)
    async throws(SnapshotError) -> Domain
  {
    do {
      if isUUID(text), let found = try await connection.domain(uuid: text) { return found }
      if let found = try await connection.domain(name: text) { return found }
      let similar = try await connection.domains().filter {
        humanID($0.name) == humanID(text) && !humanID(text).isEmpty
      }
      if similar.count > 1 {
        throw SnapshotError(
          .severalServers,
          "Multiple server matches found for '\(text)', use an ID to be more specific",
          remedy: "They are: " + similar.map { "\($0.name) (\($0.uuid))" }.joined(separator: ", "))
      }
      if let found = similar.first { return found }
      if let id = Int32(text), id >= 0, let found = try await connection.domain(id: id) {
        return found
      }
    } catch let error as LibvirtError {
      throw SnapshotError(error)
    } catch let error as SnapshotError {
      throw error
    } catch {
      throw SnapshotError(
        .libvirtFailed, "looking for '\(text)' failed: \(error)", remedy: "Try again", cause: error)
    }
    throw SnapshotError(
      .serverNotFound, "No server with a name or ID of '\(text)' exists (at \(connection.uri))",
      remedy: "List them with `virsh -c \(connection.uri) list --all`, or name another "
        + "connection with --connect")
  }

  /// novaclient's `human_id`: lower case, everything that is no letter or digit one hyphen.
  static func humanID(_ name: String) -> String {
    name.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "_") }.joined(separator: "-")
  }

  static func isUUID(_ text: String) -> Bool {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    let lengths = groups.map(\.count)
    return (lengths == [32] || lengths == [8, 4, 4, 4, 12])
      && groups.joined().allSatisfy { $0.isASCII && $0.isHexDigit }
  }
}
