import Foundation
@testable import ImageService
@testable import SnapshotCore

/// What is fed with bytes. A refusal is fine; a crash, a hang and a memory hog are findings.
///
/// A new target is a line in ``all``.
enum FuzzTargets {
  static let all: [String: @Sendable (Data) -> Void] = [
    "domain-xml": { _ = try? DomainXML.parse(String(decoding: $0, as: UTF8.self)) },
    "host-device": { _ = try? DomainXML.hostDeviceKey(String(decoding: $0, as: UTF8.self)) },
    "image-record": { data in
      guard let record = try? answer(data).decode(ImageRecord.self) else { return }
      _ = record.rows
      // What was read can be written, and is the same when it is read again.
      guard let json = try? JSONEncoder().encode(record) else { return }
      precondition((try? JSONDecoder().decode(ImageRecord.self, from: json)) == record)
    },
    "token": { data in
      guard let token = try? Token(answer(data, status: 201)) else { return }
      _ = token.lives(.seconds(300))
      let catalog = token.catalog
      let found = try? catalog.imageEndpoints(region: nil, interfaces: ["public", "internal"])
      for endpoint in found ?? [] {
        _ = try? ServiceURL.base(endpoint.url, version: "v2", source: "the catalog").label
      }
      _ = try? catalog.imageEndpoints(region: "none", interfaces: ["admin"])
    },
    "journal": { data in
      guard let content = try? JournalContent.parse(data, path: "/j") else { return }
      // What recovery would say of it.
      for action in content.entries.map(\.action) {
        _ = action.purpose
        _ = action.command(server: content.header.serverName, uri: content.header.uri)
      }
    },
    "disk-header": { data in
      for format in StorageFormat.allCases { _ = ForeignReference.find(in: data, format: format) }
    },
    "quota": { data in
      let quota = try? answer(data).decode(ImageQuota.self)
      try? quota?.check(expectedBytes: .max)
    },
    "error-body": { data in
      for type in ["application/json", "text/html", "text/plain"] {
        let text = AnswerExcerpt(answer(data, status: 400, type: type)).text
        precondition((text?.count ?? 0) <= 200)
        precondition(text?.contains("fuzz-token") != true)
      }
    },
  ]

  private static func answer(
    _ body: Data, status: Int = 200, type: String = "application/json"
  ) -> HTTPAnswer {
    HTTPAnswer(
      request: HTTPRequest(
        method: "GET", url: URL(filePath: "/"), token: Secret("fuzz-token")),
      status: status, headers: ["Content-Type": type, "X-Subject-Token": "t"], body: body)
  }
}
