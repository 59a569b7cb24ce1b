internal import Foundation
internal import ImageService
internal import Logging
internal import SnapshotCore

/// Decides where the image goes.
struct StoreChoice {
  let options: ImageCreateOptions
  let environment: [String: String]
  let log: Logger

  /// The store, why it was taken, and what to say when the image is there.
  struct Target: Sendable {
    let store: any ImageStore
    /// Says where images are, for recovery to find the same place; no secrets. Asks the image
    /// service.
    let identity: @Sendable () async throws(ImageServiceError) -> String
    let because: String
    var notice: (@Sendable (UUID) -> String)?
  }

  func choose() throws(ImageServiceError) -> Target {
    if let output = options.output {
      let store = SingleFileStore(path: output, logger: log)
      return Target(
        store: store, identity: { StoreChoice.filePrefix + store.path }, because: "--output")
    }
    let openStack = OpenStackEnvironment(environment)
    if options.to == .glance { return try glance(openStack, because: "--to glance") }
    if options.to == .folder { return try folder(because: "--to folder") }
    if options.imageDir != nil { return try folder(because: "--image-dir") }
    if openStack.isConfigured { return try glance(openStack, because: "OS_* variables are set") }
    var target = try folder(because: "no OS_* variables are set")
    guard let store = target.store as? FolderStore else { return target }
    target.notice = { id in
      let path = "\(store.directory)/\(id.uuidString.lowercased())"
      return "image-create: no image service is configured (no OS_* variables), so the image is in "
        + "\(path); to upload instead, source your openrc file (--to folder silences this)"
    }
    return target
  }

  private func glance(_ openStack: OpenStackEnvironment, because: String)
    throws(ImageServiceError) -> Target
  {
    for warning in openStack.warnings { log.warning("\(warning)") }
    let credentials = try openStack.credentials()
    let store = GlanceStore(credentials: credentials, limits: limits, logger: log)
    return Target(
      store: store,
      identity: { () async throws(ImageServiceError) in
        StoreChoice.text(try await store.identity())
      }, because: because)
  }

  private func folder(because: String) throws(ImageServiceError) -> Target {
    let standard = DefaultImageFolder.path(userID: getuid(), environment: environment)
    guard let path = options.imageDir ?? standard else {
      throw ImageServiceError(
        .badConfiguration, reason: "Neither XDG_DATA_HOME nor HOME names a folder for images",
        remedy: "Name one with --image-dir")
    }
    let store = FolderStore(directory: path, logger: log)
    return Target(
      store: store, identity: { StoreChoice.folderPrefix + store.directory }, because: because)
  }

  private static let folderPrefix = "folder "
  private static let filePrefix = "file "

  private static let glancePrefix = "glance "

  private static func text(_ identity: ServiceIdentity) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = (try? encoder.encode(identity)) ?? Data()
    return glancePrefix + String(decoding: json, as: UTF8.self)
  }

  private var limits: TimeLimits {
    var limits = TimeLimits()
    if let patience = options.uploadPatience?.duration {
      limits.patience = patience
      limits.retryBudget = min(limits.retryBudget, patience)
    }
    if let stall = options.stallTimeout?.duration { limits.stall = stall }
    return limits
  }

  /// The place where a dead run's image is.
  ///
  /// - Parameter identity: what its journal says of it.
  /// - Throws: `notRecovered` if the environment names another image service; what the image service
  ///   says if it cannot be asked which project the variables mean.
  func store(of identity: String) async throws -> any ImageStore {
    if identity.hasPrefix(StoreChoice.folderPrefix) {
      return FolderStore(
        directory: String(identity.dropFirst(StoreChoice.folderPrefix.count)), logger: log)
    }
    if identity.hasPrefix(StoreChoice.filePrefix) {
      return SingleFileStore(
        path: String(identity.dropFirst(StoreChoice.filePrefix.count)), logger: log)
    }
    let there =
      identity.hasPrefix(StoreChoice.glancePrefix)
      ? try? JSONDecoder().decode(
        ServiceIdentity.self,
        from: Data(identity.dropFirst(StoreChoice.glancePrefix.count).utf8)) : nil
    func elsewhere(_ what: String) -> SnapshotError {
      SnapshotError(
        .notRecovered, "the image is in \(there?.description ?? identity), and \(what)",
        remedy: "Source the openrc file of that project, then run `image-create --recover`")
    }
    let openStack = OpenStackEnvironment(environment)
    guard openStack.isConfigured else { throw elsewhere("the OS_* variables are not set") }
    let store = GlanceStore(credentials: try openStack.credentials(), limits: limits, logger: log)
    // Only the service knows which project a name is.
    let here = try await store.identity()
    guard let there, there.isSame(as: here) else {
      throw elsewhere("the OS_* variables are for \(here)")
    }
    return store
  }
}
