internal import ImageService
internal import Libvirt
internal import SnapshotCore

/// What `--dry-run` prints: the facts, the plan and its reasons, and what was checked.
enum PlanReport {
  static func text(_ rehearsed: Rehearsal.Result, target: StoreChoice.Target, image: String)
    -> String
  {
    text(
      rehearsed.facts, rehearsed.plan, checks: rehearsed.checks, target: target, image: image)
  }

  static func text(
    _ facts: Facts, _ plan: Plan, checks: [(topic: String, outcome: String)],
    target: StoreChoice.Target, image: String
  ) -> String {
    let agent =
      switch facts.domain.agent {
      case .absent: "no channel"
      case .disconnected: "not connected"
      case .connected: "connected"
      }
    var rows = [
      ("connection", facts.uri),
      ("hypervisor", "\(facts.hypervisor) \(facts.hypervisorVersion)"),
      ("libvirt daemon", "\(facts.daemonVersion)"),
      ("server", "\(facts.domain.name) (\(facts.domain.uuid))"),
      ("state", "\(facts.state)"),
      ("persistent", facts.isPersistent ? "yes" : "no"),
      ("managed save image", facts.hasManagedSaveImage ? "yes" : "no"),
      ("snapshots, checkpoints", "\(facts.snapshotCount), \(facts.checkpointCount)"),
      ("guest agent", agent),
    ]
    for disk in facts.domain.disks { rows.append(("disk \(disk.target)", describe(disk, facts))) }
    var text = "Facts\n" + PropertyTable.text(rows, headings: ("Fact", "Value")) + "\nPlan\n"
    let reasons =
      plan.reasons.map { ($0.topic, "\($0.choice): \($0.because)") }
      + [("image", "'\(image)' to \(target.store.name): \(target.because)")]
    text += PropertyTable.text(reasons, headings: ("Decision", "Because"))
    text += "\nChecks\n"
    text += PropertyTable.text(
      checks.map { ($0.topic, $0.outcome) }, headings: ("Check", "Outcome"))
    return text + "\nNothing was touched (--dry-run).\n"
  }

  private static func describe(_ disk: DiskDescription, _ facts: Facts) -> String {
    var parts = [disk.device, disk.bus ?? "", disk.format, "\(disk.source)"]
    if let known = facts.disks[disk.target] {
      parts.append("\(known.virtualSize) bytes")
      for layer in known.chain.dropFirst() { parts.append("over \(layer.format) \(layer.path)") }
    }
    if let fault = facts.disks[disk.target]?.fault { parts.append("not readable: \(fault.reason)") }
    if disk.isReadOnly { parts.append("read-only") }
    if disk.isTransient { parts.append("transient") }
    if let encryption = disk.encryption { parts.append("encrypted (\(encryption))") }
    return parts.filter { !$0.isEmpty }.joined(separator: ", ")
  }
}
