internal import Libvirt
internal import Logging

/// The live way by backup job: from the moment it begins, QEMU keeps what the guest overwrites in a
/// scratch file, and offers the disk as it was over NBD.
struct Backup {
  let context: SnapshotContext

  /// The scratch file, which QEMU creates.
  static func scratchPath(in workspace: Workspace) -> String {
    workspace.pathForQEMU("scratch.qcow2")
  }

  private var disk: String { context.plan.disk.target }

  func fix() async throws -> DiskFile {
    let socket = context.workspace.pathForQEMU("disk.sock")
    try context.workspace.letOwnerCreateFiles()
    let xml = Backup.xml(
      disks: context.facts.domain.disks, chosen: disk, socket: socket,
      scratch: Backup.scratchPath(in: context.workspace))
    // Before the freeze: the journal is not written to while the guest waits.
    try await context.undo.push(
      .abortBackup(socket: socket, wasRunning: context.facts.state != .paused))
    context.log.info("beginning the backup job of disk '\(disk)' (virDomainBackupBegin)")
    do {
      try await Quiesce(context: context).around {
        try await context.domain.beginBackup(xml: xml)
        context.instant.note()
      } ready: {
        try await checkIdle()
      }
    } catch let error as LibvirtError {
      throw HiddenMount.explain(error, in: context)
    }
    try await DiskComparison(context: context).checkSource()
    return DiskFile(
      StorageNode(.nbd(NBDExport(socketPath: socket, name: disk)), format: .raw))
  }

  /// A begin behind another job waits 30 s for the state lock while the guest is frozen.
  private func checkIdle() async throws {
    var hasBlockJob = false
    if context.facts.disks[disk]?.blockJob != .unsupported {
      hasBlockJob = try await context.domain.blockJob(onDisk: disk) != nil
    }
    guard try await context.domain.job() == nil, !hasBlockJob else {
      throw SnapshotError.anotherJob(context.facts)
    }
  }

  /// Names everything: what is not named libvirt puts next to the disks, and takes every disk.
  static func xml(disks: [DiskDescription], chosen: String, socket: String, scratch: String)
    -> String
  {
    let elements = disks.filter { $0.target == chosen || (!$0.isReadOnly && $0.source != .none) }
      .map { disk in
        guard disk.target == chosen else {
          return "<disk name='\(disk.target.escapedForXML)' backup='no'/>"
        }
        return """
          <disk name='\(chosen.escapedForXML)' backup='yes' type='file' \
          exportname='\(chosen.escapedForXML)'>\
          <driver type='qcow2'/><scratch file='\(scratch.escapedForXML)'/></disk>
          """
      }
    return """
      <domainbackup mode='pull'>
        <server transport='unix' socket='\(socket.escapedForXML)'/>
        <disks>\(elements.joined())</disks>
      </domainbackup>
      """
  }
}
