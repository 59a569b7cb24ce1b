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
    /// Says where images are, for recovery to find the same place; no secrets.
    let identity: String
    let because: String
    var notice: (@Sendable (UUID) -> String)?
  }

  func choose() throws(ImageServiceError) -> Target {
    if let output = options.output {
      let store = SingleFileStore(path: output, logger: log)
      return Target(
        store: store, identity: StoreChoice.filePrefix + store.path, because: "--output")
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
    return Target(
      store: GlanceStore(credentials: credentials, logger: log),
      identity: StoreChoice.identity(credentials), because: because)
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
      store: store, identity: StoreChoice.folderPrefix + store.directory, because: because)
  }

  private static let folderPrefix = "folder "
  private static let filePrefix = "file "

  private static func identity(_ credentials: Credentials) -> String {
    var parts = ["glance of \(credentials.authURL) project \(credentials.project)"]
    if let region = credentials.region { parts.append("region \(region)") }
    if let endpoint = credentials.imageEndpoint { parts.append("at \(endpoint)") }
    return parts.joined(separator: " ")
  }

  /// The place where a dead run's image is.
  ///
  /// - Parameter identity: what its journal says of it.
  /// - Throws: `notRecovered` where the environment names another image service.
  func store(of identity: String) throws -> any ImageStore {
    if identity.hasPrefix(StoreChoice.folderPrefix) {
      return FolderStore(
        directory: String(identity.dropFirst(StoreChoice.folderPrefix.count)), logger: log)
    }
    if identity.hasPrefix(StoreChoice.filePrefix) {
      return SingleFileStore(
        path: String(identity.dropFirst(StoreChoice.filePrefix.count)), logger: log)
    }
    let openStack = OpenStackEnvironment(environment)
    let here = openStack.isConfigured ? try openStack.credentials() : nil
    guard let here, StoreChoice.identity(here) == identity else {
      let other = here.map { "are for \(StoreChoice.identity($0))" } ?? "are not set"
      throw SnapshotError(
        .notRecovered, "the image is in \(identity), and the OS_* variables \(other)",
        remedy: "Source the openrc file of that project, then run `image-create --recover`")
    }
    return GlanceStore(credentials: here, logger: log)
  }
}
