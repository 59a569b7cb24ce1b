internal import Libvirt
internal import Logging

/// The cold way with a running guest: detach host devices, save, read, start, attach.
struct ManagedSave {
  let context: SnapshotContext

  /// How long a guest may take to give a host device up.
  private static let detachLimit = Duration.seconds(30)

  func fix() async throws -> DiskFile {
    let layers = context.chain.map(DiskFile.Layer.init)
    let clone = context.workspace.path("clone")
    if context.plan.downtime == .untilCloned {
      try await context.undo.push(.removeFile(path: clone))
    }
    let running = context.undo.mark()
    try await save()
    context.instant.note()
    guard context.plan.downtime == .untilCloned, let top = layers.first,
      try await isCloned(top.path, to: clone)
    else { return DiskFile(place: .layers(layers)) }
    try await context.putBack(to: running)
    return DiskFile(
      place: .layers([DiskFile.Layer(path: clone, format: top.format)] + layers.dropFirst()),
      isOwn: true)
  }

  /// Clones the disk's own file within its file system. What lies below it nobody writes to.
  ///
  /// - Returns: false where the file system does not do it after all; the file is then read where
  ///   it is, with the guest down meanwhile.
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
    try await context.undo.push(.start)
    let domain = context.domain
    context.log.info("saving the guest's memory (virDomainManagedSave)")
    try await withTaskCancellationHandler {
      try await domain.managedSave()
    } onCancel: {
      // The save goes on in the daemon unless it is told; the guest then runs on.
      Task.detached { try? await domain.abortJob() }
    }
    try Task.checkCancellation()
    guard try await domain.state() == .shutOff, try await domain.hasManagedSaveImage() else {
      throw SnapshotError(
        .libvirtFailed,
        "server '\(domain.name)' was saved but is not shut off with its saved memory",
        remedy:
          "Someone else may have started it: look with `virsh dominfo \(domain.name.shellWord)`")
    }
  }

  private func detach(_ device: DomainDescription.HostDevice) async throws {
    context.log.info("detaching \(device.label)")
    try await context.undo.push(.attach(deviceXML: device.xml, label: device.label))
    try await context.domain.detach(deviceXML: device.xml)
    let key = try DomainXML.hostDeviceKey(device.xml)
    let end = ContinuousClock.now + ManagedSave.detachLimit
    while try await DomainXML.parse(context.domain.xml()).hostDevices.contains(where: {
      try DomainXML.hostDeviceKey($0.xml) == key
    }) {
      guard ContinuousClock.now < end else {
        throw SnapshotError(
          .notPossible, "the guest did not give up \(device.label) within 30 s",
          remedy: "Detach it in the guest first, or shut the server down and try again")
      }
      try await Task.sleep(for: .milliseconds(200))
    }
  }
}
