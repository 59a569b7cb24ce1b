public import Foundation

/// What is needed for a project-scoped token and for finding the image service.
public struct Credentials: Sendable, Equatable {
  /// A user, project or domain, by its id or by its name.
  public enum Reference: Sendable, Equatable {
    /// By id.
    case id(String)
    /// By name.
    case name(String)
  }

  /// A user or project: an id says everything, a name needs a domain.
  public enum Scoped: Sendable, Equatable {
    /// By id.
    case id(String)
    /// By name, in a domain.
    case name(String, domain: Reference)
  }

  /// The identity service, ending in `/v3`.
  public var authURL: URL
  /// Who asks.
  public var user: Scoped
  /// The password; never printed.
  public var password: Secret
  /// The project the image shall belong to.
  public var project: Scoped
  /// The region to look in; any if nil.
  public var region: String?
  /// `public`, `internal`, `admin`: the first that the catalog has is taken.
  public var interfaces: [String]
  /// The image service, ending in `/v2`, in place of what the catalog says.
  public var imageEndpoint: URL?

  /// Names user and project.
  ///
  /// - Throws: `badConfiguration` if a URL cannot be used. `/v3` and `/v2` are appended if needed.
  public init(
    authURL: String,
    user: Scoped,
    password: Secret,
    project: Scoped,
    region: String? = nil,
    interfaces: [String] = ["public"],
    imageEndpoint: String? = nil
  ) throws(ImageServiceError) {
    self.authURL = try ServiceURL.base(authURL, version: "v3", source: "OS_AUTH_URL")
    self.user = user
    self.password = password
    self.project = project
    self.region = region
    self.interfaces = interfaces
    self.imageEndpoint =
      if let imageEndpoint {
        try ServiceURL.base(imageEndpoint, version: "v2", source: "OS_IMAGE_ENDPOINT_OVERRIDE")
      } else {
        nil
      }
  }
}

extension Credentials.Reference: CustomStringConvertible {
  /// `"name"` or `id "…"`, for messages.
  public var description: String {
    switch self {
    case .id(let id): "id \(id.quoted)"
    case .name(let name): name.quoted
    }
  }
}

extension Credentials.Scoped: CustomStringConvertible {
  /// `"name" (domain "…")` or `id "…"`, for messages.
  public var description: String {
    switch self {
    case .id(let id): "id \(id.quoted)"
    case .name(let name, let domain): "\(name.quoted) (domain \(domain))"
    }
  }
}
