internal import Libvirt

/// How the point in time is fixed.
public enum Mechanism: String, Sendable, Hashable, CaseIterable {
  /// `virDomainBackupBegin` in pull mode, ended by `virDomainAbortJob`.
  case backup
  /// `virDomainBlockCopy` with TRANSIENT_JOB into a delta, ended by `virDomainBlockJobAbort`.
  case copy
  /// `virDomainBlockRebase` into a delta, ended by `virDomainBlockJobAbort`; the domain must be
  /// transient during that time.
  case rebase
  /// `virDomainManagedSave`: the guest is down while its disk is read.
  case managedSave
  /// Nothing runs: the disk is read as it lies there.
  case offline

  /// The order of preference. Data, so that any can be forced and each is tested.
  public static let preference: [Mechanism] = [
    .backup, .copy, .rebase, .managedSave, .offline,
  ]

  /// Whether the guest goes on while the snapshot is taken.
  public var isLive: Bool {
    switch self {
    case .backup, .copy, .rebase: true
    case .managedSave, .offline: false
    }
  }

  /// Why this mechanism can't take this disk of this server; nil where it can.
  ///
  /// The sentence completes "`copy` is not possible: …".
  func obstacle(_ facts: Facts, _ disk: DiskDescription) -> String? {
    if let encryption = disk.encryption {
      return "disk '\(disk.target)' is encrypted (\(encryption)) and its secret can't be used here"
    }
    if let server = facts.disks[disk.target]?.otherServer {
      return "disk '\(disk.target)' is also a disk of server '\(server)', which is active and may "
        + "write to it at any time"
    }
    return switch self {
    case .backup: liveObstacle(facts, disk, call: "virDomainBackupBegin") ?? backupObstacle(facts)
    case .copy:
      liveObstacle(facts, disk, call: "virDomainBlockCopy") ?? mirrorObstacle(facts, disk)
        ?? copyObstacle(facts) ?? chainObstacle(facts, disk)
    case .rebase:
      liveObstacle(facts, disk, call: "virDomainBlockRebase") ?? mirrorObstacle(facts, disk)
        ?? rebaseObstacle(facts) ?? chainObstacle(facts, disk)
    case .managedSave:
      managedSaveObstacle(facts, disk) ?? readObstacle(disk) ?? chainObstacle(facts, disk)
    case .offline: offlineObstacle(facts) ?? readObstacle(disk) ?? chainObstacle(facts, disk)
    }
  }

  private func liveObstacle(_ facts: Facts, _ disk: DiskDescription, call: String) -> String? {
    guard facts.state == .running || facts.state == .blocked || facts.state == .paused else {
      return "the server is \(facts.state)"
    }
    guard facts.hypervisor == "QEMU" else {
      return "the \(facts.hypervisor) driver has no \(call)"
    }
    // Nova's floor for live snapshots since Grizzly.
    guard facts.hypervisorVersion >= Version(1, 3), facts.daemonVersion >= Version(1, 0) else {
      return "QEMU \(facts.hypervisorVersion) with libvirt \(facts.daemonVersion) is older than "
        + "1.3 with 1.0.0"
    }
    return disk.isTransient ? "disk '\(disk.target)' is transient" : nil
  }

  private func backupObstacle(_ facts: Facts) -> String? {
    // The version is that of the default emulator; libvirt knows more of the domain's own.
    let isOld = facts.hypervisorVersion < Version(4, 2) && facts.hasBackupJobs == nil
    guard facts.daemonVersion >= Version(7, 2), !isOld else {
      return
        "libvirt \(facts.daemonVersion) with QEMU \(facts.hypervisorVersion) is older than 7.2 "
        + "with 4.2, the first with backup jobs"
    }
    return facts.hasBackupJobs == false
      ? "\(facts.domain.emulator ?? "the emulator") has no backup jobs, by libvirt's domain "
        + "capabilities" : nil
  }

  private func mirrorObstacle(_ facts: Facts, _ disk: DiskDescription) -> String? {
    if facts.disks[disk.target]?.blockJob == .unsupported {
      return "this QEMU has no block jobs for disk '\(disk.target)'"
    }
    guard case .file = disk.source else {
      return "disk '\(disk.target)' is not a file (\(disk.source))"
    }
    guard disk.format == "raw" || disk.format == "qcow2" else {
      return "a mirror of a \(disk.format) disk has not been proven"
    }
    return nil
  }

  private func copyObstacle(_ facts: Facts) -> String? {
    facts.daemonVersion < Version(3, 5)
      ? "libvirt \(facts.daemonVersion) is older than 3.5, the first with TRANSIENT_JOB" : nil
  }

  /// Undefining a running guest silently drops its metadata, and what it keeps on disk beside its
  /// disks unless told otherwise.
  private func rebaseObstacle(_ facts: Facts) -> String? {
    guard facts.isPersistent else { return nil }
    let kept = [(facts.snapshotCount, "snapshots"), (facts.checkpointCount, "checkpoints")]
    for (count, name) in kept where count > 0 {
      return "the server must be undefined for it, and the metadata of its \(count) \(name) "
        + "would be lost"
    }
    if facts.domain.isUEFI, facts.daemonVersion < Version(2, 3) {
      return
        "the server must be undefined for it, and libvirt \(facts.daemonVersion) is older than "
        + "2.3, the first that can keep its UEFI variables"
    }
    guard let tpm = facts.domain.tpm else { return nil }
    if facts.daemonVersion < Version(8, 9) {
      return "the server must be undefined for it, and libvirt \(facts.daemonVersion) would delete "
        + "its TPM's state"
    }
    // KEEP_TPM or not: libvirt deletes the state of a transient domain when it stops.
    guard tpm.outlivesDefinition else {
      return "the server must be undefined for it, and if the guest stopped then, its TPM's state "
        + "would be lost (no <backend persistent_state='yes'/>)"
    }
    return nil
  }

  private func managedSaveObstacle(_ facts: Facts, _ disk: DiskDescription) -> String? {
    guard facts.hypervisor != "LXC" else {
      return "the LXC driver can't save a container (stop it first, then it is read offline)"
    }
    guard facts.state == .running || facts.state == .blocked || facts.state == .paused else {
      return "the server is \(facts.state)"
    }
    guard facts.isPersistent else {
      return "the server is transient, and a managed save needs a definition to start again from"
    }
    // Since 11.0 libvirt lets a guest with a newer virtiofsd be saved, and says so if it can't.
    if let obstacle = facts.domain.saveObstacle,
      obstacle != .virtiofs || facts.daemonVersion < Version(11, 0)
    {
      return "the server has \(obstacle.rawValue), which keeps libvirt from saving it"
    }
    return disk.isTransient ? "disk '\(disk.target)' is transient" : nil
  }

  private func offlineObstacle(_ facts: Facts) -> String? {
    guard facts.state == .shutOff || facts.state == .crashed else {
      return "the server is \(facts.state)"
    }
    return facts.isLeftByMigration
      ? "the server was migrated to another host, where it may run with the same disk" : nil
  }

  /// Comes last: where it is the only obstacle, it is what the user must hear of.
  private func chainObstacle(_ facts: Facts, _ disk: DiskDescription) -> String? {
    facts.disks[disk.target]?.fault?.reason
  }

  private func readObstacle(_ disk: DiskDescription) -> String? {
    disk.source.path == nil
      ? "disk '\(disk.target)' is neither file nor block device (\(disk.source))" : nil
  }
}
