public import Foundation
public import Libvirt

/// Does undo actions on a real server. Each may be done twice, and does nothing where there is
/// nothing left to undo.
public struct UndoPerformer: Sendable {
  private let link: ServerLink
  private let server: ServerIdentity
  private let notice: @Sendable (String) -> Void
  private let deleteImage: @Sendable (UUID) async throws -> Void

  /// How long an agent may take to answer a thaw, in seconds.
  private static let agentSeconds: Int32 = 20
  /// How long a detach may take that may have been asked for just before the run died.
  private static let detachDelay = Duration.seconds(1)
  /// How long to watch a device that the guest was asked to give up.
  private static let detachPatience = Duration.seconds(10)

  /// Makes a performer.
  ///
  /// - Parameters:
  ///   - server: the server, which may not be there any more.
  ///   - connection: a connection to its daemon, if there is one already.
  ///   - notice: told what was left alone, because it is not ours.
  ///   - deleteImage: deletes an image; one that is gone already is a success.
  public init(
    server: ServerIdentity, over connection: Connection?,
    notice: @escaping @Sendable (String) -> Void = { _ in },
    deleteImage: @escaping @Sendable (UUID) async throws -> Void
  ) {
    link = ServerLink(server, over: connection)
    self.server = server
    self.notice = notice
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
    case .start(let saved): try await onServer { try await start($0, from: saved) }
    // What was done to a running guest has gone with it.
    case .thaw: try await onServer { try await thaw($0) }
    case .abortMirror(let disk, let target):
      try await onServer { try await abortMirror(of: $0, disk: disk, target: target) }
    case .abortBackup(let socket, let wasRunning):
      try await onServer { try await abortBackup(of: $0, socket: socket, wasRunning: wasRunning) }
    case .attach(let xml, _):
      try await onServer { try await attach(xml, to: $0) }
    case .attachOnceGone(let xml, let label):
      try await onServer { try await attach(xml, to: $0, onceGone: label) }
    }
  }

  private func remove(_ path: String) async throws {
    guard (try? FileManager.default.attributesOfItem(atPath: path)) != nil else { return }
    if Mirror.hasTarget(path) { try await onServer { try await checkUnused(path, by: $0) } }
    try Workspace.remove(path)
  }

  /// A mirror's file may have become part of the guest's disk, now or from its next start on.
  private func checkUnused(_ path: String, by domain: Domain) async throws {
    for form in [Domain.XMLForm(), .inactive] {
      let xml: String
      do {
        xml = try await domain.xml(form)
      } catch {
        // It was stopped since it was found.
        guard error.code == .noDomain else { throw error }
        return
      }
      if let use = FileUse(of: path, by: try DomainXML.parse(xml)) {
        throw use.refusal(of: path, for: server)
      }
    }
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
    try await UndoPerformer.endBackup {
      try await domain.backupXML()?.contains(socket.escapedForXML) == true
    } mayBegin: {
      // A begin that was not answered in time may still be carried out.
      if domain.connection.isBeginningBackup { return true }
      return try await domain.isChangingJobs()
    } abort: {
      try await domain.abortJob()
    }
    // A scratch file that met the end of its file system may have stopped the guest.
    if wasRunning, try await domain.isPausedByDiskError() { try await domain.resume() }
  }

  /// - Parameters:
  ///   - isThere: whether our job is there.
  ///   - mayBegin: whether it may still come, if it is not.
  static func endBackup(
    isThere: () async throws -> Bool, mayBegin: () async throws -> Bool,
    abort: () async throws -> Void
  ) async throws {
    var isAborted = false
    while true {
      if try await isThere() {
        if !isAborted { try await abort() }
        isAborted = true
      } else if try await !mayBegin() {
        // It may have begun between the two looks.
        if try await !isThere() { return }
        continue
      }
      try await Task.sleep(for: .milliseconds(20))
    }
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

  /// - Parameter saved: our saved memory, if it was written.
  private func start(_ domain: Domain, from saved: SavedMemory?) async throws {
    // The daemon goes on saving when the one who asked for it has died.
    while try await domain.job() != nil { try await Task.sleep(for: .milliseconds(100)) }
    // Before the state: what is there of a guest that runs after that is old.
    let hasImage = try await domain.hasManagedSaveImage()
    if hasImage, saved?.isReplaced == true {
      notice(
        "server '\(domain.name)' was started and saved again by someone else, so it was left alone")
      return
    }
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

  /// - Parameter label: what to call the device, if the guest was asked to give it up.
  private func attach(_ xml: String, to domain: Domain, onceGone label: String? = nil) async throws
  {
    let patience = label == nil ? UndoPerformer.detachDelay : UndoPerformer.detachPatience
    let end = ContinuousClock.now + patience
    while true {
      let state = try await domain.state()
      // One that was shut down has the device in its definition.
      guard state == .running || state == .blocked || state == .paused else { return }
      guard try await domain.has(xml) else { break }
      if ContinuousClock.now >= end {
        guard let label else { return }
        throw SnapshotError(
          .notRestored,
          "the guest has not released \(label) yet; it may do so as late as its next reboot",
          remedy:
            "Run `image-create --recover \(domain.name.shellWord)` after that: it attaches the "
            + "device again")
      }
      try await Task.sleep(for: .milliseconds(200))
    }
    try await domain.attach(deviceXML: xml)
  }
}
