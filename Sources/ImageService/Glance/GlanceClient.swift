import Foundation
import Logging

/// Glance's calls, one method each. A token that Glance refuses is renewed once.
struct GlanceClient: Sendable {
  let keystone: KeystoneSession
  let transport: Transport
  let limits: TimeLimits

  /// `GET /v2/images?limit=1`
  func probe() async throws(ImageServiceError) {
    let answer = try await send("GET", "images", query: "limit=1")
    guard answer.status == 200 else { throw AnswerRefusal(answer, of: "listing images").error }
    _ = try answer.decode(ImageList.self)
  }

  /// `GET /v2/info/usage`
  func usage() async throws(ImageServiceError) -> HTTPAnswer {
    try await send("GET", "info/usage")
  }

  /// `POST /v2/images`
  func create(_ image: NewImage) async throws(ImageServiceError) -> HTTPAnswer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let json = try encoder.encode(image)
      return try await send("POST", "images", json: json)
    } catch let error as ImageServiceError {
      throw error
    } catch {
      throw ImageServiceError(
        .invalidMetadata, reason: "The image's attributes could not be written as JSON.",
        remedy: "Check name and properties for characters that are not text.", cause: error)
    }
  }

  /// `PATCH /v2/images/{id}`
  func update(_ id: UUID, _ patch: PropertyPatch) async throws(ImageServiceError) -> HTTPAnswer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let json = try? encoder.encode(patch) else {
      throw ImageServiceError(
        .invalidMetadata, reason: "The image's properties could not be written as JSON.",
        remedy: "Check them for characters that are not text.")
    }
    return try await send(
      "PATCH", "images/\(id.path)", json: json,
      headers: ["Content-Type": PropertyPatch.contentType])
  }

  /// `GET /v2/images/{id}`
  func show(_ id: UUID) async throws(ImageServiceError) -> HTTPAnswer {
    try await send("GET", "images/\(id.path)")
  }

  /// `DELETE /v2/images/{id}`
  func delete(_ id: UUID) async throws(ImageServiceError) -> HTTPAnswer {
    try await send("DELETE", "images/\(id.path)")
  }

  /// `PUT /v2/images/{id}/file`
  ///
  /// The length goes into a header of its own, which Glance compares since version 31: the body
  /// is chunked, so there is no Content-Length.
  ///
  /// - Parameter asksFirst: whether to ask for a `100 Continue` before the body. libcurl then waits a
  ///   second for it, which many a service in front of Glance never gives.
  func putFile(
    _ id: UUID, body: any ImageBody, asksFirst: Bool,
    progress: @escaping @Sendable (Int64) -> Void
  ) async throws(ImageServiceError) -> (HTTPAnswer, Receipt?) {
    var token = try await keystone.token(living: limits.tokenMargin)
    var didRenew = false
    while true {
      var request = HTTPRequest(
        method: "PUT",
        url: try keystone.imageEndpoint(token).appending(path: "images/\(id.path)/file"),
        headers: ["Content-Type": "application/octet-stream"],
        token: token.secret)
      // An empty header keeps libcurl from asking.
      if !asksFirst { request.headers["Expect"] = "" }
      if let count = body.byteCount { request.headers["x-openstack-image-size"] = "\(count)" }
      let (answer, receipt) = try await transport.upload(request, body: body, progress: progress)
      guard answer.status == 401, !didRenew else { return (answer, receipt) }
      didRenew = true
      token = try await keystone.replacement(of: token)
    }
  }

  private struct ImageList: Decodable {
    struct Entry: Decodable {}
    let images: [Entry]
  }

  private func send(
    _ method: String, _ path: String, query: String? = nil, json: Data? = nil,
    headers: [String: String] = [:]
  ) async throws(ImageServiceError) -> HTTPAnswer {
    let token = try await keystone.token()
    let answer = try await send(
      method, path, query: query, json: json, headers: headers, token: token)
    guard answer.status == 401 else { return answer }
    let renewed = try await keystone.replacement(of: token)
    return try await send(
      method, path, query: query, json: json, headers: headers, token: renewed)
  }

  private func send(
    _ method: String, _ path: String, query: String?, json: Data?, headers: [String: String],
    token: Token
  ) async throws(ImageServiceError) -> HTTPAnswer {
    var url = try keystone.imageEndpoint(token).appending(path: path)
    if let query { url.append(queryItems: Self.items(query)) }
    return try await transport.send(
      HTTPRequest(method: method, url: url, headers: headers, json: json, token: token.secret))
  }

  private static func items(_ query: String) -> [URLQueryItem] {
    query.split(separator: "&").map {
      let pair = $0.split(separator: "=", maxSplits: 1).map(String.init)
      return URLQueryItem(name: pair[0], value: pair.count > 1 ? pair[1] : nil)
    }
  }
}

extension UUID {
  /// Lowercase, as Glance writes ids.
  var path: String { uuidString.lowercased() }
}
