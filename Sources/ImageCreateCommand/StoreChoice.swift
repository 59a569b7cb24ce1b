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
    let because: String
    var notice: (@Sendable (UUID) -> String)?
  }

  func choose() throws(ImageServiceError) -> Target {
    if let output = options.output {
      return Target(store: SingleFileStore(path: output, logger: log), because: "--output")
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
    return Target(
      store: GlanceStore(credentials: try openStack.credentials(), logger: log), because: because)
  }

  private func folder(because: String) throws(ImageServiceError) -> Target {
    let standard = DefaultImageFolder.path(userID: getuid(), environment: environment)
    guard let path = options.imageDir ?? standard else {
      throw ImageServiceError(
        .badConfiguration, reason: "Neither XDG_DATA_HOME nor HOME names a folder for images",
        remedy: "Name one with --image-dir")
    }
    return Target(store: FolderStore(directory: path, logger: log), because: because)
  }
}
