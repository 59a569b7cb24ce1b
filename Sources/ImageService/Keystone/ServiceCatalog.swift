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

  /// The endpoints of the image service that fit equally well, as the catalog has them; the first is
  /// the one to take, as for the `openstack` command.
  ///
  /// The exact type wins over an alias, an earlier interface over a later one.
  ///
  /// - Returns: one at least.
  /// - Throws: `badConfiguration`, listing what the catalog does have.
  func imageEndpoints(
    region: String?, interfaces: [String]
  ) throws(ImageServiceError) -> [Endpoint] {
    for type in Self.imageTypes {
      for interface in interfaces {
        let found = services.filter { $0.type == type }.flatMap(\.endpoints).filter {
          $0.interface == interface && !$0.url.isEmpty && (region == nil || $0.place == region)
        }
        if !found.isEmpty { return found }
      }
    }
    throw missing(region: region, interfaces: interfaces)
  }

  private func missing(region: String?, interfaces: [String]) -> ImageServiceError {
    guard !services.isEmpty else {
      return ImageServiceError(
        .badConfiguration,
        reason: "The token's service catalog is empty.",
        remedy: "Set OS_IMAGE_ENDPOINT_OVERRIDE, or ask for a role in the project.")
    }
    let images = services.filter { Self.imageTypes.contains($0.type) }.flatMap(\.endpoints)
      .filter { !$0.url.isEmpty }
    guard !images.isEmpty else {
      let types = Set(services.map(\.type)).sorted().joined(separator: ", ")
      return ImageServiceError(
        .badConfiguration,
        reason:
          "The service catalog has no image service, only \(AnswerExcerpt.clean(types, limit: 200)).",
        remedy: "Set OS_IMAGE_ENDPOINT_OVERRIDE to the URL of Glance.")
    }
    let there = Set(images.map { "\($0.interface) in \($0.place ?? "no region")" }).sorted()
      .joined(separator: ", ")
    let wanted =
      interfaces.joined(separator: " or ") + (region.map { " in region \($0)" } ?? "")
    return ImageServiceError(
      .badConfiguration,
      reason:
        "The service catalog has no image endpoint \(wanted); it has "
        + "\(AnswerExcerpt.clean(there, limit: 200)).",
      remedy: "Set OS_REGION_NAME and OS_INTERFACE to one of these.")
  }
}

extension ServiceCatalog: Decodable {
  /// Reads the catalog of a token. An entry that makes no sense is left out: it is some other
  /// service's, or the image service is then missing, which is said.
  init(from decoder: any Decoder) throws {
    services = try [Lenient<Service>](from: decoder).compactMap(\.value)
  }
}

extension ServiceCatalog.Service {
  private enum CodingKeys: String, CodingKey { case type, endpoints }

  init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: CodingKeys.self)
    type = try object.decode(String.self, forKey: .type)
    endpoints = try object.decode([Lenient<ServiceCatalog.Endpoint>].self, forKey: .endpoints)
      .compactMap(\.value)
  }
}

/// A value that is left out if it cannot be read.
private struct Lenient<Value: Decodable>: Decodable {
  let value: Value?

  init(from decoder: any Decoder) { value = try? Value(from: decoder) }
}
