/// Which image service and which project, in ids: it stays the same however a user names them.
package struct ServiceIdentity: Codable, Sendable, Equatable {
  /// The URL of Keystone, for messages: a cloud may have several.
  package let keystone: String
  /// The id of the project.
  package let project: String
  /// The region; nil if the endpoint is not from the catalog, or the catalog names none.
  package let region: String?
  /// The URL of Glance.
  package let endpoint: String

  package init(keystone: String, project: String, region: String?, endpoint: String) {
    self.keystone = keystone
    self.project = project
    self.region = region
    self.endpoint = endpoint
  }

  /// Whether both have the same images. The id of a project is unique among all clouds; within one,
  /// each region has an image service of its own, which may have several endpoints.
  package func isSame(as other: Self) -> Bool {
    project == other.project
      && (endpoint == other.endpoint || (region != nil && region == other.region))
  }
}

extension ServiceIdentity: CustomStringConvertible {
  /// For messages.
  package var description: String {
    "project \(project) at \(endpoint)" + (region.map { " in region \($0)" } ?? "")
      + " (Keystone \(keystone))"
  }
}
