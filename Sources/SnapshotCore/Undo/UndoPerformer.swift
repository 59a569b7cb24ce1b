public import Foundation
public import Libvirt

/// Does undo actions on a real server. Each may be done twice, and does nothing where there is
/// nothing left to undo.
public struct UndoPerformer: Sendable {
  private let link: ServerLink
  private let server: ServerIdentity
  private let deleteImage: @Sendable (UUID) async throws -> Void

  /// How long an agent may take to answer a thaw, in seconds.
  private static let agentSeconds: Int32 = 20

  /// Makes a performer.
  ///
  /// - Parameters:
  ///   - server: the server, which may not be there any more.
  ///   - connection: a connection to its daemon, where there is one already.
  ///   - deleteImage: deletes an image; one that is gone already is a success.
  public init(
    server: ServerIdentity, over connection: Connection?,
    deleteImage: @escaping @Sendable (UUID) async throws -> Void
  ) {
    link = ServerLink(server, over: connection)
    self.server = server
    self.deleteImage = deleteImage
  }

  /// Does one action.
  public func perform(_ action: UndoAction) async throws {
    switch action {
    case .deleteImage(let id): try await deleteImage(id)
    case .removeFolder(let path), .removeFile(let path): try await remove(path)
    case .endPrograms(let folder): try await StrayPrograms(of: folder).end()
    case .define(let path, let autostarts):
      try await link.reaching { try await define(path, autostarts: autostarts, over: $0) }
    case .start: try await onServer { try await start($0) }
    // What was done to a running guest has gone with it.
    case .thaw: try await onServer { try await thaw($0) }
    case .abortMirror(let disk, let target):
      try await onServer { try await abortMirror(of: $0, disk: disk, target: target) }
    case .abortBackup(let socket, let wasRunning):
      try await onServer { try await abortBackup(of: $0, socket: socket, wasRunning: wasRunning) }
    case .attach(let xml, _): try await onServer { try await attach(xml, to: $0) }
    }
  }

  private func remove(_ path: String) async throws {
    guard (try? FileManager.default.attributesOfItem(atPath: path)) != nil else { return }
    if Mirror.hasTarget(path) { try await onServer { try await checkUnused(path, by: $0) } }
    try Workspace.remove(path)
  }

  /// Whoever pivots our mirror makes its file the guest's own disk.
  private func checkUnused(_ path: String, by domain: Domain) async throws {
    guard let disk = try DomainXML.parse(try await domain.xml()).disk(in: path) else { return }
    let name = domain.name.shellWord
    throw SnapshotError(
      .diskInUse,
      "disk '\(disk.target)' of server '\(domain.name)' is there now, since someone pivoted the "
        + "mirror",
      remedy: "Copy it to where it shall be, before the server's next start: `virsh -c "
        + "\(server.uri.shellWord) blockcopy \(name) \(disk.target.shellWord) FILE --transient-job "
        + "--wait --pivot`, then run `image-create --recover \(name)`")
  }

  /// A transient server that was stopped meanwhile is not there any more.
  private func onServer(_ body: @Sendable (Domain) async throws -> Void) async throws {
    try await link.reaching { link in
      guard let domain = try await link.domain() else { return }
      do {
        try await body(domain)
      } catch let error as LibvirtError where error.code == .noDomain {
        return
      }
    }
  }

  /// A freeze that timed out may still take effect later, and a thaw fails until it has: keep
  /// trying until one succeeds. A guest that is gone is not frozen.
  private func thaw(_ domain: Domain) async throws {
    while true {
      do {
        // An agent that hangs would hold the call, and with it the daemon's lock, for ever; a daemon
        // older than 5.10 has no such bound.
        try? await domain.setAgentTimeout(seconds: UndoPerformer.agentSeconds)
        try await domain.thaw()
        try? await domain.setAgentTimeout(seconds: nil)
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
  private func abortMirror(of domain: Domain, disk: String, target: String) async throws {
    let mirror = try DomainXML.parse(try await domain.xml()).disks.first { $0.target == disk }?
      .mirror
    guard mirror?.path == target else { return }
    try await domain.abortBlockJob(onDisk: disk)
  }

  /// Ends our backup job and nobody else's, and waits until it is gone with its scratch file.
  private func abortBackup(of domain: Domain, socket: String, wasRunning: Bool) async throws {
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

  private func define(_ path: String, autostarts: Bool, over link: ServerLink) async throws {
    let domain = try await link.domain()
    let isDefined = if let domain { try await isPersistent(domain) } else { false }
    if !isDefined {
      // Whoever defines the server also gets its NVRAM and TPM back: undefining kept them.
      try await link.connection().define(xml: String(contentsOfFile: path, encoding: .utf8))
    }
    if autostarts { try await link.domain()?.setAutostart(true) }
    try? FileManager.default.removeItem(atPath: path)
  }

  private func isPersistent(_ domain: Domain) async throws(LibvirtError) -> Bool {
    do {
      return try await domain.isPersistent()
    } catch {
      // It was stopped since it was found.
      guard error.code == .noDomain else { throw error }
      return false
    }
  }

  private func start(_ domain: Domain) async throws {
    // The daemon goes on saving when the one who asked for it has died.
    while try await domain.job() != nil { try await Task.sleep(for: .milliseconds(100)) }
    // Before the state: what is there of a guest that runs after that is old.
    let hasImage = try await domain.hasManagedSaveImage()
    guard try await domain.state() == .shutOff else {
      // A daemon that died while it saved lets the guest run on, and keeps what it had saved: started
      // from that one day, the guest would meet a newer disk.
      if hasImage { try await domain.removeManagedSaveImage() }
      return
    }
    // Without the saved memory this would be a reboot, which nobody asked for.
    guard hasImage else {
      throw SnapshotError(
        .notRestored, "server '\(domain.name)' is shut off and its managed save image is gone",
        remedy: "Start it yourself if it is to run")
    }
    try await domain.start()
  }

  private func attach(_ xml: String, to domain: Domain) async throws {
    let state = try await domain.state()
    // One that was shut down meanwhile has the device in its definition.
    guard state == .running || state == .blocked || state == .paused else { return }
    let address = try DomainXML.hostDeviceKey(xml)
    let devices = try DomainXML.parse(try await domain.xml()).hostDevices
    guard try !devices.contains(where: { try DomainXML.hostDeviceKey($0.xml) == address }) else {
      return
    }
    try await domain.attach(deviceXML: xml)
  }
}
