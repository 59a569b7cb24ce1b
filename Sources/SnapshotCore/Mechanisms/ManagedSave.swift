internal import Libvirt
internal import Logging

/// The cold way with a running guest: detach host devices, save, read, start, attach.
struct ManagedSave {
  let context: SnapshotContext

  /// How long a guest may take to give a host device up.
  private static let detachLimit = Duration.seconds(30)

  func fix() async throws -> DiskFile {
    let node = try context.node()
    let clone = context.workspace.path("clone")
    if context.plan.downtime == .untilCloned {
      try await context.undo.push(.removeFile(path: clone))
    }
    let running = context.undo.mark()
    try await save()
    context.instant.note()
    try await DiskComparison(context: context).checkLayers()
    guard context.plan.downtime == .untilCloned, try await isCloned(node.label, to: clone) else {
      return DiskFile(node)
    }
    try await context.putBack(to: running)
    return DiskFile(
      StorageNode(.file(clone), format: node.format, below: node.below), isOwn: true)
  }

  /// Clones the disk's own file within its file system. What lies below it nobody writes to.
  ///
  /// - Returns: false where the file system does not do it after all; the file is then read where
  ///   it is, while the guest is down.
  private func isCloned(_ path: String, to clone: String) async throws(SnapshotError) -> Bool {
    do {
      try await HostProgram.cp.run(["--reflink=always", "--", path, clone], about: path)
      context.log.info("cloned \(path) to \(clone) (FICLONE)")
      return true
    } catch let error where error.code != .cancelled {
      context.log.warning(
        "the server stays down until its disk is read: \(path) could not be cloned: \(error.reason)"
      )
      return false
    }
  }

  private func save() async throws {
    for device in context.plan.hostDevices { try await detach(device) }
    let domain = context.domain
    let start = try await context.undo.push(.start())
    // Behind another job it would wait for the state lock, and could not be told from it.
    guard try await domain.jobStatus() == nil else {
      await context.undo.forget(start)
      throw SnapshotError.anotherJob(context.facts)
    }
    context.log.info("saving the guest's memory (virDomainManagedSave)")
    FaultPoints().pass(before: "save")
    try await OwnSave().run(domain)
    try Task.checkCancellation()
    guard try await domain.state() == .shutOff, try await domain.hasManagedSaveImage() else {
      throw SnapshotError(
        .libvirtFailed,
        "server '\(domain.name)' was saved but is not shut off with its saved memory",
        remedy:
          "Someone else may have started it: look with `virsh dominfo \(domain.name.shellWord)`")
    }
    // Memory that somebody saves after us is not ours to start from.
    if let saved = SavedMemory(of: context.facts) {
      _ = try await context.undo.replace(start, with: .start(saved: saved))
    }
  }

  private func detach(_ device: DomainDescription.HostDevice) async throws {
    context.log.info("detaching \(device.label)")
    let attach = try await context.undo.push(.attach(deviceXML: device.xml, label: device.label))
    try await context.domain.detach(deviceXML: device.xml)
    // From now on the guest may give it up at any time, also after this run has stopped waiting.
    _ = try await context.undo.push(
      .attachOnceGone(deviceXML: device.xml, label: device.label), below: attach)
    await context.undo.forget(attach)
    let end = ContinuousClock.now + ManagedSave.detachLimit
    while try await context.domain.has(device.xml) {
      guard ContinuousClock.now < end else {
        throw SnapshotError(
          .notPossible, "the guest did not give up \(device.label) within 30 s",
          remedy: "Detach it in the guest first, or shut the server down and try again")
      }
      try await Task.sleep(for: .milliseconds(200))
    }
  }
}

extension Domain {
  /// Whether the running guest has a host device, which it may be about to give up.
  func has(_ deviceXML: String) async throws -> Bool {
    let key = try DomainXML.hostDeviceKey(deviceXML)
    return try DomainXML.parse(try await xml()).hostDevices.contains {
      try DomainXML.hostDeviceKey($0.xml) == key
    }
  }
}

extension SnapshotError {
  /// Somebody else's job has the server.
  static func anotherJob(_ facts: Facts) -> SnapshotError {
    SnapshotError(
      .serverBusy, "another job has begun on \(facts.label)",
      remedy: "Wait for its end (`virsh domjobinfo \(facts.domain.name.shellWord)`) and try again")
  }
}
