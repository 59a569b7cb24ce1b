import Libvirt

@testable import SnapshotCore

/// Facts of a server that any snapshot can be taken of; a test changes what it is about.
enum ServerFixture {
  static func facts(_ change: (inout Facts) -> Void = { _ in }) -> Facts {
    var domain = DomainDescription()
    domain.type = "kvm"
    domain.name = "fed18"
    domain.uuid = "542d3ac2-f77a-40f3-ba72-14ce4cab353c"
    domain.disks = [disk("vda")]
    var facts = Facts(
      uri: "qemu:///system", hypervisor: "QEMU", hypervisorVersion: Version(7, 2),
      daemonVersion: Version(9, 0), state: .running, isPersistent: true, domain: domain,
      disks: ["vda": DiskFacts(virtualSize: 5 << 30, chain: [])])
    change(&facts)
    return facts
  }

  static func disk(
    _ target: String, device: String = "disk", source: DiskDescription.Source? = nil,
    format: String = "qcow2", bootOrder: Int? = nil, isReadOnly: Bool = false
  ) -> DiskDescription {
    var disk = DiskDescription()
    disk.device = device
    disk.target = target
    disk.bus = "virtio"
    disk.source = source ?? .file("/images/\(target).qcow2")
    disk.format = format
    disk.bootOrder = bootOrder
    disk.isReadOnly = isReadOnly
    return disk
  }

  static let hostDevice = DomainDescription.HostDevice(
    xml: "<hostdev type='pci'/>", label: "pci 0000:03:00:0")
}

extension Facts {
  /// The only disk.
  var root: DiskDescription {
    get { domain.disks[0] }
    set { domain.disks[0] = newValue }
  }

  var rootBlockJob: DiskFacts.BlockJobFact {
    get { disks["vda"]?.blockJob ?? .none }
    set { disks["vda"]?.blockJob = newValue }
  }
}

extension Plan {
  /// Why a part of the plan was decided as it was.
  func reason(_ topic: String) -> Reason? { reasons.first { $0.topic == topic } }
}
