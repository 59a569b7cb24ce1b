import Foundation

/// The list of services inside a token.
struct ServiceCatalog: Sendable, Equatable {
  struct Endpoint: Decodable, Sendable, Equatable {
    let interface: String
    let region: String?
    let regionID: String?
    let url: String

    private enum CodingKeys: String, CodingKey {
      case interface, region, url
      case regionID = "region_id"
    }

    /// The region, under the newer or the older key.
    var place: String? { regionID ?? region }
  }

  struct Service: Decodable, Sendable, Equatable {
    let type: String
    let endpoints: [Endpoint]
  }

  let services: [Service]

  /// The official type first, then one that some clouds register beside or in place of it.
  static let imageTypes = ["image", "imagev2"]

  /// The URL of the image service, as the catalog has it.
  ///
  /// The exact type wins over an alias, an earlier interface over a later one.
  ///
  /// - Throws: `badConfiguration`, listing what the catalog does have.
  func imageEndpoint(region: String?, interfaces: [String]) throws(ImageServiceError) -> String {
    for type in Self.imageTypes {
      for interface in interfaces {
        for endpoint in services.lazy.filter({ $0.type == type }).flatMap(\.endpoints)
        where endpoint.interface == interface && !endpoint.url.isEmpty
          && (region == nil || endpoint.place == region)
        {
          return endpoint.url
        }
      }
    }
    throw missing(region: region, interfaces: interfaces)
  }

  private func missing(region: String?, interfaces: [String]) -> ImageServiceError {
    guard !services.isEmpty else {
      return ImageServiceError(
        .badConfiguration,
        reason: "The token's service catalog was empty.",
        remedy: "Set OS_IMAGE_ENDPOINT_OVERRIDE, or ask for a role in the project.")
    }
    let images = services.filter { Self.imageTypes.contains($0.type) }.flatMap(\.endpoints)
      .filter { !$0.url.isEmpty }
    guard !images.isEmpty else {
      let types = Set(services.map(\.type)).sorted().joined(separator: ", ")
      return ImageServiceError(
        .badConfiguration,
        reason:
          "The service catalog had no image service, only \(AnswerExcerpt.clean(types, limit: 200)).",
        remedy: "Set OS_IMAGE_ENDPOINT_OVERRIDE to the URL of Glance.")
    }
    let there = Set(images.map { "\($0.interface) in \($0.place ?? "no region")" }).sorted()
      .joined(separator: ", ")
    let wanted =
      interfaces.joined(separator: " or ") + (region.map { " in region \($0)" } ?? "")
    return ImageServiceError(
      .badConfiguration,
      reason:
        "The service catalog had no image endpoint \(wanted); it had "
        + "\(AnswerExcerpt.clean(there, limit: 200)).",
      remedy: "Set OS_REGION_NAME and OS_INTERFACE to one of these.")
  }
}
