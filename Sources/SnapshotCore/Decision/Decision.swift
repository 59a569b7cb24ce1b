internal import Libvirt

/// Decides how a server's snapshot is taken: a pure function of the facts and the request.
public enum Decision {
  /// Makes the plan.
  ///
  /// - Throws: `noDisk`, `serverBusy`, `notPossible`, `notQuiesced`, `badFormat`; nothing has been
  ///   touched then.
  public static func plan(_ facts: Facts, _ request: Request) throws(SnapshotError) -> Plan {
    let (disk, whyDisk) = try DiskChoice(facts: facts, request: request).disk()
    try checkIdle(facts, disk)
    let candidates = try candidates(facts, request, disk)
    var plan = try plan(facts, request, disk, whyDisk, candidates[0])
    plan.leftOut = DiskChoice(facts: facts, request: request).leftOut(disk)
    if plan.mechanism.isLive {
      for candidate in candidates.dropFirst() where candidate.mechanism.isLive {
        plan.alternatives.append(try Self.plan(facts, request, disk, whyDisk, candidate))
      }
    }
    if !plan.alternatives.isEmpty {
      plan.reasons.append(
        Plan.Reason(
          topic: "otherwise",
          choice: plan.alternatives.map(\.mechanism.rawValue).joined(separator: ", "),
          because: "if \(plan.mechanism.rawValue) is refused when it begins"))
    }
    return plan
  }

  /// The plan with one mechanism.
  private static func plan(
    _ facts: Facts, _ request: Request, _ disk: DiskDescription, _ whyDisk: String,
    _ candidate: Candidate
  ) throws(SnapshotError) -> Plan {
    let mechanism = candidate.mechanism
    let (quiesce, whyQuiesce) = try chooseQuiesce(facts, request, mechanism)
    let (format, whyFormat) = try FormatChoice(facts: facts, request: request, disk: disk).format()
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
      Plan.Reason(topic: "mechanism", choice: mechanism.rawValue, because: candidate.because),
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
          because: "a guest that holds them cannot be saved: detached before, attached after"))
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

  /// A mechanism that is possible, and why it has its place.
  private struct Candidate {
    let mechanism: Mechanism
    let because: String
  }

  /// What is possible, in the order of preference; never empty.
  private static func candidates(
    _ facts: Facts, _ request: Request, _ disk: DiskDescription
  ) throws(SnapshotError) -> [Candidate] {
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
          remedy: "Omit --mechanism to have one chosen, or see `--dry-run`")
      }
      return [Candidate(mechanism: forced, because: "asked for with --mechanism")]
    }
    var found: [Candidate] = []
    var passed: [String] = []
    var obstacles: [String] = []
    for mechanism in Mechanism.preference where request.mode.allows(mechanism) {
      if let obstacle = mechanism.obstacle(facts, disk) {
        passed.append("not \(mechanism.rawValue): \(obstacle)")
        obstacles.append(obstacle)
      } else {
        found.append(
          Candidate(
            mechanism: mechanism,
            because: !found.isEmpty
              ? "the next choice"
              : passed.isEmpty ? "the first choice" : passed.joined(separator: "; ")))
      }
    }
    guard found.isEmpty else { return found }
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
          + "cannot freeze its file systems"
      } else if facts.state == .paused {
        "a paused guest cannot answer"
      } else {
        switch facts.domain.agent {
        case .absent: "the server has no guest agent channel"
        case .disconnected: "no guest agent is connected"
        case .connected:
          // virDomainAgentSetResponseTimeout
          facts.daemonVersion < Version(5, 10)
            ? "libvirt \(facts.daemonVersion) is older than 5.10, which cannot bound the time that the "
              + "guest agent takes" : nil
        }
      }
    if let obstacle {
      guard request.quiesce == .auto else {
        throw SnapshotError(
          .notQuiesced, "\(facts.label) cannot be quiesced: \(obstacle)",
          remedy: "Omit `--quiesce require`, or start the guest agent in the guest")
      }
      return (.none, obstacle)
    }
    guard mechanism.isLive else { return (.none, "the guest was shut down, its disk is at rest") }
    return request.quiesce == .require
      ? (.require, "--quiesce require") : (.attempt, "a guest agent is connected")
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
