public import Foundation
public import Libvirt

/// Does undo actions on a real server. Each may be done twice, and does nothing where there is
/// nothing left to undo.
public struct UndoPerformer: Sendable {
  let domain: Domain
  let deleteImage: @Sendable (UUID) async throws -> Void

  /// Makes a performer.
  ///
  /// - Parameters:
  ///   - domain: the server.
  ///   - deleteImage: deletes an image; one that is gone already is a success.
  public init(domain: Domain, deleteImage: @escaping @Sendable (UUID) async throws -> Void) {
    self.domain = domain
    self.deleteImage = deleteImage
  }

  /// Does one action.
  public func perform(_ action: UndoAction) async throws {
    switch action {
    case .deleteImage(let id): try await deleteImage(id)
    case .removeFolder(let path), .removeFile(let path):
      if FileManager.default.fileExists(atPath: path) {
        try FileManager.default.removeItem(atPath: path)
      }
    case .define(let path, let autostarts): try await define(path, autostarts: autostarts)
    case .start: try await start()
    // What was done to a running guest has gone with it.
    case .thaw: try await unlessGone { try await thaw() }
    case .abortMirror(let disk, let target):
      try await unlessGone { try await abortMirror(disk: disk, target: target) }
    case .abortBackup(let socket, let wasRunning):
      try await unlessGone { try await abortBackup(socket: socket, wasRunning: wasRunning) }
    case .attach(let xml, _): try await unlessGone { try await attach(xml) }
    }
  }

  /// A transient server that was stopped meanwhile is not there any more.
  private func unlessGone(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let error as LibvirtError where error.code == .noDomain {
      return
    }
  }

  /// A freeze that timed out may still take effect later, and a thaw fails until it has: keep
  /// trying until one succeeds. A guest that is gone is not frozen.
  private func thaw() async throws {
    while true {
      do {
        try await domain.thaw()
        return
      } catch {
        let state = try await domain.state()
        guard state == .running || state == .blocked || state == .paused else { return }
        guard error.code == .agentUnresponsive || error.code == .operationTimeout else {
          throw error
        }
      }
      try await Task.sleep(for: .seconds(1))
    }
  }

  /// Ends our mirror and nobody else's.
  private func abortMirror(disk: String, target: String) async throws {
    let mirror = try DomainXML.parse(try await domain.xml()).disks.first { $0.target == disk }?
      .mirror
    guard mirror?.path == target else { return }
    try await domain.abortBlockJob(onDisk: disk)
  }

  /// Ends our backup job and nobody else's, and waits until it is gone with its scratch file.
  private func abortBackup(socket: String, wasRunning: Bool) async throws {
    var isAborted = false
    while let xml = try await domain.backupXML(), xml.contains(socket.escapedForXML) {
      if !isAborted {
        try await domain.abortJob()
        isAborted = true
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    // A scratch file that met the end of its file system may have stopped the guest.
    if wasRunning, try await domain.isPausedByDiskError() { try await domain.resume() }
  }

  private func define(_ path: String, autostarts: Bool) async throws {
    let isDefined: Bool
    do { isDefined = try await domain.isPersistent() } catch let error where error.code == .noDomain
    {
      isDefined = false
    }
    if !isDefined {
      // Whoever defines the server also gets its NVRAM and TPM back: undefining kept them.
      try await domain.connection.define(xml: String(contentsOfFile: path, encoding: .utf8))
    }
    if autostarts { try await domain.setAutostart(true) }
    try? FileManager.default.removeItem(atPath: path)
  }

  private func start() async throws {
    switch try await domain.state() {
    case .shutOff:
      // Without the saved memory this would be a reboot, which nobody asked for.
      guard try await domain.hasManagedSaveImage() else {
        throw SnapshotError(
          .notRestored, "server '\(domain.name)' is shut off and its managed save image is gone",
          remedy: "Start it yourself if it is to run")
      }
      try await domain.start()
    default: return
    }
  }

  private func attach(_ xml: String) async throws {
    let address = try DomainXML.hostDeviceKey(xml)
    let devices = try DomainXML.parse(try await domain.xml()).hostDevices
    guard try !devices.contains(where: { try DomainXML.hostDeviceKey($0.xml) == address }) else {
      return
    }
    try await domain.attach(deviceXML: xml)
  }
}
