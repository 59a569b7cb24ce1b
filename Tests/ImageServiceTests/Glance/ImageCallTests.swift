import Foundation
import ImageService
import Testing

@Suite struct ImageCallTests {
  static let path = "/v2/images/\(Fixture.id)"
  static let queued = Fixture.record(status: "queued")

  @Test func aRecordIsCreatedWithTheIdOfTheClient() async throws {
    let seen = try await StubServer.run([
      .token(), Step("POST", "/v2/images", .json(201, Self.queued)),
    ]) { server in
      let store = try Fixture.glance(server)
      let record = try await store.create(Fixture.image)
      #expect(record.id == Fixture.imageID)
      #expect(record.status == .queued)
      #expect(record.properties == ["hw_disk_bus": "virtio"])
      #expect(store.name == "Glance at \(server.url)/v2")
    }
    #expect(
      String(decoding: seen[1].body, as: UTF8.self)
        == #"{"container_format":"bare","disk_format":"qcow2","hw_disk_bus":"virtio","#
        + #""id":"\#(Fixture.id)","min_disk":5,"min_ram":0,"name":"nightly","#
        + #""visibility":"private"}"#)
  }

  @Test func `properties are added with a JSON patch in Glance's form`() async throws {
    let seen = try await StubServer.run([
      .token(), Step("PATCH", Self.path, .json(200, Self.queued)),
    ]) {
      try await Fixture.glance($0).update(
        Fixture.imageID, properties: ["b:c": "x/\"y", "a~/": "1"])
    }
    #expect(seen[1].headers["content-type"] == "application/openstack-images-v2.1-json-patch")
    #expect(
      String(decoding: seen[1].body, as: UTF8.self)
        == #"[{"op":"add","path":"/a~0~1","value":"1"},"#
        + #"{"op":"add","path":"/b:c","value":"x/\"y"}]"#)
  }

  @Test(arguments: [(403, ImageServiceError.Code.forbidden), (404, .notFound), (409, .conflict)])
  func `a refused patch says why`(status: Int, code: ImageServiceError.Code) async throws {
    try await StubServer.run([
      .token(), Step("PATCH", Self.path, .html(status, "Title", "because of this")),
    ]) { server in
      let error = try await Fixture.failure {
        try await Fixture.glance(server).update(Fixture.imageID, properties: ["a": "1"])
      }
      #expect(error.code == code && error.reason.contains("because of this"))
    }
  }

  @Test(arguments: [Reply.hangUp(afterBodyBytes: nil), .hangUp(afterBodyBytes: 0)])
  func aCreateWhoseAnswerGotLostIsSentAgain(loss: Reply) async throws {
    try await StubServer.run([
      .token(), Step("POST", "/v2/images", loss),
      Step("POST", "/v2/images", .html(409, "Conflict", "Image ID already exists!")),
      Step("GET", Self.path, .json(200, Self.queued)),
    ]) {
      let record = try await Fixture.glance($0).create(Fixture.image)
      #expect(record.status == .queued)
    }
  }

  @Test func anIdThatWasThereBeforeIsAConflict() async throws {
    try await StubServer.run([
      .token(),
      Step("POST", "/v2/images", .html(409, "Conflict", "Image ID already exists!")),
    ]) { server in
      let error = try await Fixture.failure {
        try await Fixture.glance(server).create(Fixture.image)
      }
      #expect(error.code == .conflict)
      #expect(error.reason.contains("409 Conflict Image ID already exists!"))
      #expect(error.reason.contains(Fixture.id))
    }
  }

  @Test(arguments: [
    (400, ImageServiceError.Code.badRequest), (403, .forbidden), (413, .tooLarge),
    (429, .unavailable), (500, .unavailable), (503, .unavailable), (418, .badAnswer),
  ])
  func aRefusedCreateSaysWhy(status: Int, code: ImageServiceError.Code) async throws {
    try await StubServer.run([
      .token(), Step("POST", "/v2/images", .html(status, "Title", "because of this")),
    ]) { server in
      var limits = Fixture.limits
      limits.retries = 0
      let store = try Fixture.glance(server, limits: limits)
      let error = try await Fixture.failure { try await store.create(Fixture.image) }
      #expect(error.code == code)
      #expect(error.reason.contains("because of this"))
      #expect(error.reason.contains("\(server.url)/v2/images"))
      #expect(error.reason.contains("\(status)"))
      #expect(!error.remedy.isEmpty)
    }
  }

  @Test(arguments: [204, 404, 410])
  func anImageThatIsGoneIsDeleted(status: Int) async throws {
    try await StubServer.run([.token(), Step("DELETE", Self.path, .answer(status))]) {
      try await Fixture.glance($0).delete(Fixture.imageID)
    }
  }

  @Test func aDeleteIsSentAgainWhenTheConnectionBreaks() async throws {
    try await StubServer.run([
      .token(), Step("DELETE", Self.path, .hangUp(afterBodyBytes: nil)),
      Step("DELETE", Self.path, .hangUp(afterBodyBytes: nil)),
      Step("DELETE", Self.path, .answer(204)),
    ]) {
      try await Fixture.glance($0).delete(Fixture.imageID)
    }
  }

  @Test func aConnectionThatAlwaysBreaksIsAnErrorInTheEnd() async throws {
    let loss = Step("DELETE", Self.path, .hangUp(afterBodyBytes: nil))
    try await StubServer.run([.token(), loss, loss, loss]) { server in
      let error = try await Fixture.failure {
        try await Fixture.glance(server).delete(Fixture.imageID)
      }
      #expect(error.code == .connectionLost)
      #expect(error.isTransient)
    }
  }

  @Test(arguments: [(403, ImageServiceError.Code.forbidden), (409, .conflict)])
  func aRefusedDeleteIsAnError(status: Int, code: ImageServiceError.Code) async throws {
    try await StubServer.run([.token(), Step("DELETE", Self.path, .answer(status))]) { server in
      let error = try await Fixture.failure {
        try await Fixture.glance(server).delete(Fixture.imageID)
      }
      #expect(error.code == code)
    }
  }
}
