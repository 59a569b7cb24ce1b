internal import Libvirt

/// Decides how a server's snapshot is taken: a pure function of the facts and the request.
public enum Decision {
  /// Makes the plan.
  ///
  /// - Throws: `noDisk`, `serverBusy`, `notPossible`, `notQuiesced`, `badFormat`; nothing has been
  ///   touched then.
  public static func plan(_ facts: Facts, _ request: Request) throws(SnapshotError) -> Plan {
    let (disk, whyDisk) = try chooseDisk(facts, request)
    try checkIdle(facts, disk)
    let (mechanism, whyMechanism) = try chooseMechanism(facts, request, disk)
    let (quiesce, whyQuiesce) = try chooseQuiesce(facts, request, mechanism)
    let (format, whyFormat) = try chooseFormat(request, disk)
    let isClonable = facts.disks[disk.target]?.isClonable ?? false
    let choice = DeliveryChoice(
      request: request, mechanism: mechanism, format: format, isClonable: isClonable)
    let (delivery, whyDelivery) = try choice.delivery()
    let (downtime, whyDowntime) = choice.downtime(delivery)
    let hostDevices = mechanism == .managedSave ? facts.domain.hostDevices : []
    var reasons = [
      Plan.Reason(
        topic: "mode", choice: mechanism.isLive ? "live" : "cold",
        because: whyMode(facts, request, mechanism)),
      Plan.Reason(topic: "mechanism", choice: mechanism.rawValue, because: whyMechanism),
      Plan.Reason(
        topic: "quiesce", choice: quiesce == .none ? "no" : "freeze", because: whyQuiesce),
      Plan.Reason(topic: "disk", choice: disk.target, because: whyDisk),
      Plan.Reason(topic: "format", choice: format.name, because: whyFormat),
      Plan.Reason(topic: "delivery", choice: delivery.rawValue, because: whyDelivery),
      Plan.Reason(topic: "downtime", choice: downtime.rawValue, because: whyDowntime),
    ]
    if !hostDevices.isEmpty {
      reasons.append(
        Plan.Reason(
          topic: "host devices", choice: hostDevices.map(\.label).joined(separator: ", "),
          because: "a guest that holds them can't be saved: detached before, attached after"))
    }
    if let gap = unguarded(facts, disk), !mechanism.isLive {
      reasons.append(
        Plan.Reason(topic: "writers", choice: "guarded on this host only", because: gap))
    }
    if mechanism == .backup {
      reasons.append(
        Plan.Reason(
          topic: "scratch file",
          choice: "up to \(facts.size(of: disk, by: mechanism)) bytes",
          because: "it keeps what the guest overwrites while the disk is read; the job is ended "
            + "before the spool folder is full"))
    }
    return Plan(
      mechanism: mechanism, quiesce: quiesce, disk: disk,
      virtualSize: facts.size(of: disk, by: mechanism), format: format,
      delivery: delivery, isDeliveryForced: request.delivery != nil,
      compresses: request.compresses, downtime: downtime,
      hostDevices: hostDevices, reasons: reasons)
  }

  /// Why another host could write to a disk while it is read, unnoticed; nil if none can.
  private static func unguarded(_ facts: Facts, _ disk: DiskDescription) -> String? {
    if let system = facts.disks[disk.target]?.networkFileSystem {
      return "the disk is on a network file system (\(system)): a host that writes to it without "
        + "its locks is not noticed"
    }
    guard case .block(let path) = disk.source else { return nil }
    return "a host that shares the block device \(path) and writes to it is not noticed"
  }

  /// Chooses the disk to take; nothing but the domain XML is looked at.
  static func chooseDisk(_ facts: Facts, _ request: Request) throws(SnapshotError)
    -> (DiskDescription, String)
  {
    let disks = facts.domain.disks.filter { $0.device == "disk" && $0.source != .none }
    let others = { (chosen: DiskDescription) in
      let rest = facts.domain.disks.filter { $0.target != chosen.target }.map(\.target)
      return rest.isEmpty ? "" : "; not taken: \(rest.joined(separator: ", "))"
    }
    if let wanted = request.disk {
      guard let disk = disks.first(where: { $0.target == wanted }) else {
        throw SnapshotError(
          .noDisk, "\(facts.label) has no disk '\(wanted)' that could be taken",
          remedy: disks.isEmpty
            ? "Look with `virsh domblklist \(facts.domain.name.shellWord)`"
            : "Name one of these with --disk: \(disks.map(\.target).joined(separator: ", "))")
      }
      return (disk, "asked for with --disk" + others(disk))
    }
    // What the guest can't write to is no root disk; --disk still takes it.
    let writable = disks.filter { !$0.isReadOnly }
    let bootable = writable.filter { $0.bootOrder != nil }
      .min { ($0.bootOrder ?? 0) < ($1.bootOrder ?? 0) }
    if let disk = bootable {
      return (disk, "first in the boot order" + others(disk))
    }
    guard let disk = writable.first else {
      throw SnapshotError(
        .noDisk, "\(facts.label) has no disk that could be taken",
        remedy:
          "Look with `virsh domblklist \(facts.domain.name.shellWord)`: CD-ROMs, floppies, drives "
          + "without media and read-only disks do not count")
    }
    return (disk, "the first disk" + others(disk))
  }

  private static func checkIdle(_ facts: Facts, _ disk: DiskDescription) throws(SnapshotError) {
    if facts.job != nil {
      throw SnapshotError(
        .serverBusy, "\(facts.label) has a job under way (a save, a migration or a backup)",
        remedy:
          "See `virsh domjobinfo \(facts.domain.name.shellWord)`; wait for its end and try again")
    }
    if case .active? = facts.disks[disk.target]?.blockJob {
      throw SnapshotError(
        .serverBusy, "disk '\(disk.target)' of \(facts.label) has a block job under way",
        remedy:
          "See `virsh blockjob \(facts.domain.name.shellWord) \(disk.target.shellWord) --info`; wait for its end "
          + "and try again")
    }
  }

  private static func chooseMechanism(
    _ facts: Facts, _ request: Request, _ disk: DiskDescription
  ) throws(SnapshotError) -> (Mechanism, String) {
    if let forced = request.mechanism {
      let contradiction =
        request.mode == .live && !forced.isLive
        ? "it is cold and --live was given"
        : request.mode == .cold && forced.isLive ? "it is live and --cold was given" : nil
      if let obstacle = contradiction ?? forced.obstacle(facts, disk) {
        try checkFault(facts, disk, among: [obstacle])
        throw SnapshotError(
          .notPossible,
          "mechanism '\(forced.rawValue)' is not possible for \(facts.label): \(obstacle)",
          remedy: "Leave --mechanism away to have one chosen, or see `--dry-run`")
      }
      return (forced, "asked for with --mechanism")
    }
    var passed: [String] = []
    var obstacles: [String] = []
    for mechanism in Mechanism.preference where request.mode.allows(mechanism) {
      guard let obstacle = mechanism.obstacle(facts, disk) else {
        return (mechanism, passed.isEmpty ? "the first choice" : passed.joined(separator: "; "))
      }
      passed.append("not \(mechanism.rawValue): \(obstacle)")
      obstacles.append(obstacle)
    }
    try checkFault(facts, disk, among: obstacles)
    let wish =
      switch request.mode {
      case .automatic: "a snapshot"
      case .live: "a live snapshot (--live)"
      case .cold: "a cold snapshot (--cold)"
      }
    throw SnapshotError(
      .notPossible, "\(wish) of \(facts.label) is not possible: \(passed.joined(separator: "; "))",
      remedy: request.mode == .automatic
        ? wayOut(facts, disk) : "Try without --\(request.mode)")
  }

  /// Throws the fault of the disk's files if that is all that is in the way of a mechanism.
  private static func checkFault(
    _ facts: Facts, _ disk: DiskDescription, among obstacles: [String]
  ) throws(SnapshotError) {
    guard let fault = facts.disks[disk.target]?.fault, obstacles.contains(fault.reason) else {
      return
    }
    throw SnapshotError(.unreadableDisk, fault.reason, remedy: fault.remedy)
  }

  /// What helps where nothing is possible.
  private static func wayOut(_ facts: Facts, _ disk: DiskDescription) -> String {
    if disk.encryption != nil { return "Take another disk with --disk" }
    switch facts.state {
    case .running, .blocked, .paused, .crashed: return "Shut the server down and try again"
    case .shutOff: return "Start the server and try again, or take another disk with --disk"
    case .suspended, .shuttingDown, .noState:
      return "Try again when the server runs or is shut off"
    }
  }

  private static func chooseQuiesce(
    _ facts: Facts, _ request: Request, _ mechanism: Mechanism
  ) throws(SnapshotError) -> (Plan.Quiesce, String) {
    if request.quiesce == .never { return (.none, "--quiesce never") }
    let obstacle: String? =
      if mechanism == .offline && facts.state == .shutOff && !facts.hasManagedSaveImage {
        nil
      } else if !mechanism.isLive {
        "a guest that is \(mechanism == .managedSave ? "saved" : facts.state.description) "
          + "can't freeze its file systems"
      } else if facts.state == .paused {
        "a paused guest can't answer"
      } else {
        switch facts.domain.agent {
        case .absent: "the server has no guest agent channel"
        case .disconnected: "no guest agent is connected"
        case .connected: nil
        }
      }
    if let obstacle {
      guard request.quiesce == .auto else {
        throw SnapshotError(
          .notQuiesced, "\(facts.label) can't be quiesced: \(obstacle)",
          remedy: "Leave `--quiesce require` away, or make the guest agent run in the guest")
      }
      return (.none, obstacle)
    }
    guard mechanism.isLive else { return (.none, "the guest was shut down, its disk is at rest") }
    return request.quiesce == .require
      ? (.require, "--quiesce require") : (.attempt, "a guest agent is connected")
  }

  private static func chooseFormat(_ request: Request, _ disk: DiskDescription)
    throws(SnapshotError) -> (ImageFormat, String)
  {
    if let format = request.format {
      guard format == .qcow2 || !request.compresses else {
        throw SnapshotError(
          .badFormat, "a \(format) image can't be compressed",
          remedy: "Leave --compress away, or use `--disk-format qcow2`")
      }
      return (format, "asked for with --disk-format")
    }
    if request.compresses { return (.qcow2, "--compress was given") }
    if let format = ImageFormat(driver: disk.format) {
      return (format, "the disk's own format by the domain XML")
    }
    return (.qcow2, "no image can have the disk's own format \(disk.format)")
  }

  private static func whyMode(_ facts: Facts, _ request: Request, _ mechanism: Mechanism)
    -> String
  {
    switch request.mode {
    case .live: return "--live was given"
    case .cold: return "--cold was given"
    case .automatic: break
    }
    if mechanism == .offline {
      return facts.hasManagedSaveImage
        ? "the server is \(facts.state) with a managed save image, which stays as it is"
        : "the server is \(facts.state)"
    }
    return mechanism.isLive ? "the server is \(facts.state)" : "no live mechanism is possible"
  }
}

extension Request.Mode {
  fileprivate func allows(_ mechanism: Mechanism) -> Bool {
    switch self {
    case .automatic: true
    case .live: mechanism.isLive
    case .cold: !mechanism.isLive
    }
  }
}
