import Foundation

/// A token with what Keystone said about it.
struct Token: Sendable, Equatable {
  /// Sent as `X-Auth-Token`; never printed.
  let secret: Secret
  let requester: Requester
  let catalog: ServiceCatalog
  /// When it ends by this machine's clock; nil if Keystone did not say.
  let end: ContinuousClock.Instant?

  /// Reads the answer of `POST /v3/auth/tokens`.
  ///
  /// - Throws: `badAnswer` if header or body are not those of Keystone.
  init(_ answer: HTTPAnswer) throws(ImageServiceError) {
    let token = try answer.decode(Body.self).token
    guard let secret = answer.header("X-Subject-Token"), !secret.isEmpty else {
      throw ImageServiceError(
        .badAnswer,
        reason: "\(answer.request.label) was answered without the header X-Subject-Token.",
        remedy: "Check that OS_AUTH_URL is Keystone and that no proxy drops headers.")
    }
    guard let project = token.project else {
      throw ImageServiceError(
        .badAnswer,
        reason: "\(answer.request.label) was answered with a token without a project.",
        remedy: "Check OS_PROJECT_NAME and OS_PROJECT_ID.")
    }
    self.secret = Secret(secret)
    requester = Requester(userID: token.user.id, projectID: project.id)
    catalog = token.catalog ?? ServiceCatalog(services: [])
    // The difference of Keystone's own times does not depend on this machine's clock being right.
    if let issued = Self.date(token.issuedAt), let expires = Self.date(token.expiresAt) {
      end = .now + .seconds(expires.timeIntervalSince(issued))
    } else {
      end = nil
    }
  }

  /// Whether it will still be valid after `margin`. Unknown counts as valid: a 401 will tell.
  func lives(_ margin: Duration) -> Bool { end.map { ContinuousClock.now + margin < $0 } ?? true }

  /// `2026-01-31T12:00:00.000000Z`, with or without the fraction.
  private static func date(_ text: String?) -> Date? {
    guard let text else { return nil }
    return try? Date(text.replacing(/\.\d+/, with: ""), strategy: .iso8601)
  }

  private struct Body: Decodable { let token: Content }

  private struct Identified: Decodable { let id: String }

  private struct Content: Decodable {
    let user: Identified
    let project: Identified?
    let catalog: ServiceCatalog?
    let issuedAt: String?
    let expiresAt: String?

    private enum CodingKeys: String, CodingKey {
      case user, project, catalog
      case issuedAt = "issued_at"
      case expiresAt = "expires_at"
    }
  }
}
