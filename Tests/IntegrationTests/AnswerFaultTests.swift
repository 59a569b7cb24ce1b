import Foundation
import Testing

extension IntegrationTests {
  /// What goes wrong between the image service and the program, although the service is all right.
  @Suite(.serialized)
  struct AnswerFaults {
    /// The faults of `flaky_front.py`.
    static let faults = ["timeout", "reset", "lost", "page", "silent", "busy"]

    @Test("An image that arrived whole is kept, whatever becomes of the answer", arguments: faults)
    func answer(_ fault: String) async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      let images = try await Cloud.imageIDs()
      try await leavingAsItWas(server) {
        let uploads = try await Front.run("flaky_front.py", fault) { environment in
          let outcome = try await Lab.imageCreate(
            "--show", server, "fault", environment: environment)
          outcome.expect(0)
          #expect(!outcome.errors.contains("begins again"), "\(outcome.errors)")
          let id = try #require(property("id", in: outcome.output))
          #expect(try await Cloud.imageIDs() == (images + [id]).sorted())
          try await expectEqual(
            image: Cloud.file(id), "qcow2", disk: Guests.disk(server, .overlay), "qcow2")
          try await Cloud.delete(id)
        }
        #expect(uploads == 1)
      }
    }

    struct ProxyCase: Sendable, CustomTestStringConvertible {
      let variables: [String: String]
      let status: Int
      /// image-create's own exit status.
      let exit: Int32
      /// With `PORT` for the proxy's.
      let reason: String
      var testDescription: String { "\(variables.keys.sorted()) \(status)" }
    }

    static let proxies = [
      ProxyCase(
        variables: ["http_proxy": "http://ann:Secret-99@127.0.0.1:PORT"], status: 503,
        exit: 5,
        reason: "via the proxy http://127.0.0.1:PORT (http_proxy) (asking for a token) was refused "
          + "with status 503"),
      ProxyCase(
        variables: ["HTTPS_PROXY": "127.0.0.1:PORT", "OS_AUTH_URL": "https://keystone.test:5000"],
        status: 403, exit: 4,
        reason: "via the proxy http://127.0.0.1:PORT (HTTPS_PROXY) failed: the proxy refused to "
          + "connect to keystone.test with status 403"),
      ProxyCase(
        variables: ["https_proxy": "127.0.0.1:PORT", "OS_AUTH_URL": "https://keystone.test:5000"],
        status: 407, exit: 4,
        reason: "Put the proxy's user and password into the URL in https_proxy"),
    ]

    @Test("A proxy that refuses is named and not taken for the service", arguments: proxies)
    func proxy(_ row: ProxyCase) async throws {
      let server = try await Guests.prepare(.overlay, .paused)
      _ = try await Front.run("flaky_front.py", "refuse", "\(row.status)") { front in
        let port = try #require(
          front["OS_IMAGE_ENDPOINT_OVERRIDE"].flatMap { URL(string: $0)?.port })
        let environment = Lab.openrc.merging(row.variables) { $1 }
          .mapValues { $0.replacing("PORT", with: "\(port)") }
        let outcome = try await Lab.imageCreate(
          "--upload-patience", "1s", server, "fault", environment: environment)
        outcome.expect(row.exit, error: row.reason.replacing("PORT", with: "\(port)"))
        #expect(!outcome.errors.contains("Secret-99"))
      }
    }
  }
}
