import Foundation
import Logging
import Synchronization

/// Gets tokens from Keystone and keeps the newest.
final class KeystoneSession: Sendable {
  private let credentials: Credentials
  private let transport: Transport
  private let logger: Logger
  private let newest = Mutex<Token?>(nil)

  init(credentials: Credentials, transport: Transport, logger: Logger) {
    self.credentials = credentials
    self.transport = transport
    self.logger = logger
  }

  /// A token that lives for `margin` at least: the one at hand, or a new one.
  func token(living margin: Duration = .zero) async throws(ImageServiceError) -> Token {
    if let token = newest.withLock({ $0 }), token.lives(margin) { return token }
    return try await authenticate()
  }

  /// A token other than `rejected`, which a service refused.
  func replacement(of rejected: Token) async throws(ImageServiceError) -> Token {
    if let token = newest.withLock({ $0 }), token != rejected { return token }
    return try await authenticate()
  }

  /// Where the image service is; nil before the first token if the configuration does not say.
  var knownImageEndpoint: URL? {
    if let url = credentials.imageEndpoint { return url }
    guard let token = newest.withLock({ $0 }) else { return nil }
    return try? imageEndpoint(token)
  }

  /// Where the image service is, ending in `/v2`.
  ///
  /// - Throws: `badConfiguration` if the catalog has no such endpoint.
  func imageEndpoint(_ token: Token) throws(ImageServiceError) -> URL {
    if let url = credentials.imageEndpoint { return url }
    return try url(of: try catalogEndpoints(token)[0])
  }

  /// Who and where, in ids.
  func identity(_ token: Token) throws(ImageServiceError) -> ServiceIdentity {
    let region = credentials.imageEndpoint == nil ? try catalogEndpoints(token)[0].place : nil
    return ServiceIdentity(
      keystone: credentials.authURL.label, project: token.requester.projectID,
      region: region ?? credentials.region, endpoint: try imageEndpoint(token).label)
  }

  /// What a user should know of the endpoint that was taken, one sentence each.
  func endpointWarnings(_ token: Token) -> [String] {
    guard credentials.imageEndpoint == nil, let endpoints = try? catalogEndpoints(token),
      let taken = try? url(of: endpoints[0])
    else { return [] }
    var warnings: [String] = []
    let regions = Set(endpoints.compactMap(\.place)).sorted()
    if credentials.region == nil, regions.count > 1 {
      let list = AnswerExcerpt.clean(regions.joined(separator: ", "), limit: 200)
      warnings.append(
        "the image goes to region \(endpoints[0].place ?? "without a name"), the first of \(list); "
          + "set OS_REGION_NAME to choose")
    }
    if credentials.authURL.scheme == "https", taken.scheme == "http" {
      warnings.append(
        "Keystone is reached over https, but the image endpoint in its catalog is \(taken.label): "
          + "the token and the image are sent unencrypted")
    }
    return warnings
  }

  private func catalogEndpoints(
    _ token: Token
  ) throws(ImageServiceError) -> [ServiceCatalog.Endpoint] {
    try token.catalog.imageEndpoints(
      region: credentials.region, interfaces: credentials.interfaces)
  }

  private func url(of endpoint: ServiceCatalog.Endpoint) throws(ImageServiceError) -> URL {
    try ServiceURL.base(
      endpoint.url, version: "v2", source: "The image endpoint in the service catalog",
      override: "OS_IMAGE_ENDPOINT_OVERRIDE")
  }

  /// The identity service, for messages.
  var label: String { credentials.authURL.label }

  /// `POST /v3/auth/tokens`
  func authenticate() async throws(ImageServiceError) -> Token {
    let answer = try await transport.send(try request())
    switch answer.status {
    case 200, 201: break
    case 401:
      // Never tried again: that could lock the account.
      throw ImageServiceError(
        .unauthorized,
        reason:
          "Keystone at \(label) refused user \(credentials.user) for project "
          + "\(credentials.project)\(answer.explanation)",
        remedy: "Check OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME and their domains.")
    default: throw AnswerRefusal(answer, of: "asking for a token").error
    }
    let token = try Token(answer)
    newest.withLock { $0 = token }
    logger.debug(
      "token issued",
      metadata: [
        "user_id": "\(token.requester.userID)", "project_id": "\(token.requester.projectID)",
      ])
    return token
  }

  private func request() throws(ImageServiceError) -> HTTPRequest {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return HTTPRequest(
        method: "POST",
        url: credentials.authURL.appending(path: "auth/tokens"),
        json: try encoder.encode(AuthenticationRequest(credentials)),
        secrets: [credentials.password])
    } catch {
      throw ImageServiceError(
        .badConfiguration, reason: "The credentials could not be written as JSON.",
        remedy: "Check the OS_* variables for characters that are not text.")
    }
  }
}
