import Foundation
import Logging

/// Glance's calls, one method each. A token that Glance refuses is renewed once.
struct GlanceClient: Sendable {
  let keystone: KeystoneSession
  let transport: Transport
  let limits: TimeLimits

  /// `GET /v2/images?limit=1&status=active`
  ///
  /// - Returns: the algorithm with which the service hashed its newest image, if there is one.
  func probe() async throws(ImageServiceError) -> String? {
    let answer = try await send("GET", "images", query: "limit=1&status=active")
    guard answer.status == 200 else { throw AnswerRefusal(answer, of: "listing images").error }
    return try answer.decode(ImageList.self).images.first?.osHashAlgo
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

  /// `GET /v2/images/{id}`, by default once: whoever waits for an image asks again.
  func show(_ id: UUID, patiently: Bool = false) async throws(ImageServiceError) -> HTTPAnswer {
    try await send("GET", "images/\(id.path)", patiently: patiently)
  }

  /// `DELETE /v2/images/{id}`
  func delete(_ id: UUID) async throws(ImageServiceError) -> HTTPAnswer {
    try await send("DELETE", "images/\(id.path)")
  }

  /// `PUT /v2/images/{id}/file`, once.
  ///
  /// The body is chunked, so there is no Content-Length: URLSession on Linux sends a stream in no
  /// other way. The length goes into a header of its own, which Glance takes since version 31. An
  /// older Glance does not know it: with an S3 store it then holds the whole image in memory, and
  /// with a Cinder store it extends the volume GiB by GiB. Nova's own uploads are chunked, too.
  ///
  /// - Parameter asksFirst: whether to ask for a `100 Continue` before the body. libcurl then waits a
  ///   second for it, which many a service in front of Glance never gives.
  func putFile(
    _ id: UUID, body: any ImageBody, hash: HashAlgorithm, token: Token, asksFirst: Bool = false,
    progress: @escaping @Sendable (Int64) -> Void = { _ in }
  ) async -> Transport.UploadOutcome {
    let endpoint: URL
    do throws(ImageServiceError) {
      endpoint = try keystone.imageEndpoint(token)
    } catch {
      return Transport.UploadOutcome(result: .failure(error), receipt: nil, sentByteCount: 0)
    }
    var request = HTTPRequest(
      method: "PUT", url: endpoint.appending(path: "images/\(id.path)/file"),
      headers: ["Content-Type": "application/octet-stream"], token: token.secret)
    // An empty header keeps libcurl from asking.
    if !asksFirst { request.headers["Expect"] = "" }
    if let count = body.byteCount { request.headers["x-openstack-image-size"] = "\(count)" }
    return await transport.upload(
      request, body: body, hash: hash,
      isSettled: { (try? await show(id)).map(ActivationWatch.isSettled) ?? false },
      progress: progress)
  }

  private struct ImageList: Decodable {
    struct Entry: Decodable {
      let osHashAlgo: String?

      private enum CodingKeys: String, CodingKey { case osHashAlgo = "os_hash_algo" }

      init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: CodingKeys.self)
        // Only a hint: whatever else it is, the image's own record will tell.
        osHashAlgo = try? object.decode(String.self, forKey: .osHashAlgo)
      }
    }
    let images: [Entry]
  }

  private func send(
    _ method: String, _ path: String, query: String? = nil, json: Data? = nil,
    headers: [String: String] = [:], patiently: Bool = true
  ) async throws(ImageServiceError) -> HTTPAnswer {
    func request(_ token: Token) throws(ImageServiceError) -> HTTPRequest {
      var url = try keystone.imageEndpoint(token).appending(path: path)
      if let query { url.append(queryItems: Self.items(query)) }
      return HTTPRequest(
        method: method, url: url, headers: headers, json: json, token: token.secret)
    }
    let token = try await keystone.token()
    let answer = try await transport.send(try request(token), patiently: patiently)
    guard answer.status == 401 else { return answer }
    let renewed = try await keystone.replacement(of: token)
    return try await transport.send(try request(renewed), patiently: patiently)
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
