import Libvirt
import Testing

@testable import SnapshotCore

/// A server in a situation of the decision table.
struct Situation: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let change: @Sendable (inout Facts) -> Void

  init(_ description: String, _ change: @escaping @Sendable (inout Facts) -> Void) {
    testDescription = description
    self.change = change
  }

  var facts: Facts { ServerFixture.facts(change) }

  static let running = Situation("running") { _ in }
  static let blocked = Situation("blocked") { $0.state = .blocked }
  static let paused = Situation("paused") { $0.state = .paused }
  static let shuttingDown = Situation("in shutdown") { $0.state = .shuttingDown }
  static let suspended = Situation("pmsuspended") { $0.state = .suspended }
  static let noState = Situation("no state") { $0.state = .noState }
  static let shutOff = Situation("shut off") { $0.state = .shutOff }
  static let crashed = Situation("crashed") { $0.state = .crashed }
  static let saved = Situation("saved") {
    $0.state = .shutOff
    $0.hasManagedSaveImage = true
  }

  static let rawFile = Situation("raw file") { $0.root.format = "raw" }
  static let vmdkFile = Situation("vmdk file") { $0.root.format = "vmdk" }
  static let logicalVolume = Situation("LVM volume") {
    $0.root.source = .block("/dev/vg0/fed18")
    $0.root.format = "raw"
  }
  static let rbd = Situation("RBD image") {
    $0.root.source = .network(protocol: "rbd", name: "vms/fed18")
    $0.root.format = "raw"
  }
  static let shutOffRBD = Situation("RBD image, shut off") {
    rbd.change(&$0)
    $0.state = .shutOff
  }
  static let volume = Situation("storage pool volume") { $0.root.source = .other("volume") }
  static let encrypted = Situation("LUKS") { $0.root.encryption = "luks" }
  static let shutOffEncrypted = Situation("LUKS, shut off") {
    $0.root.encryption = "luks"
    $0.state = .shutOff
  }
  static let clonable = Situation("disk and spool folder on one XFS") {
    $0.disks["vda"]?.isClonable = true
  }
  static let unreadable = Situation("disk whose files cannot be opened") {
    $0.disks["vda"]?.fault = .init(reason: "/images/vda.qcow2 is odd", remedy: "Convert it first")
  }
  static let shutOffUnreadable = Situation("disk whose files cannot be opened, shut off") {
    unreadable.change(&$0)
    $0.state = .shutOff
  }
  static let grown = Situation("volume that has grown under a running QEMU") {
    let layer = ImageLayer(
      path: "/dev/vg0/a", format: .raw, virtualSize: 6 << 30, allocatedSize: 0,
      isBlockDevice: true)
    $0.disks["vda"]?.chain = [layer]
  }
  static let transientDisk = Situation("transient disk") { $0.root.isTransient = true }
  static let shutOffTransientDisk = Situation("transient disk, shut off") {
    $0.root.isTransient = true
    $0.state = .shutOff
  }
  static let noBlockJobs = Situation("QEMU without block jobs") { $0.rootBlockJob = .unsupported }

  static let libvirt34 = Situation("libvirt 3.4") { $0.daemonVersion = Version(3, 4, 999) }
  static let libvirt35 = Situation("libvirt 3.5") { $0.daemonVersion = Version(3, 5) }
  static let libvirt71 = Situation("libvirt 7.1, QEMU 4.1") {
    $0.daemonVersion = Version(7, 1)
    $0.hypervisorVersion = Version(4, 1)
  }
  /// A situation on a libvirt and a QEMU that have no backup jobs.
  private func before(_ name: String) -> Situation {
    Situation(name) {
      change(&$0)
      Situation.libvirt71.change(&$0)
    }
  }
  static let oldLogicalVolume = logicalVolume.before("LVM volume on libvirt 7.1")
  static let oldRBD = rbd.before("RBD image on libvirt 7.1")
  static let oldTransientBlock = transientBlock.before("transient on an LVM volume, libvirt 7.1")
  static let oldNoBlockJobs = noBlockJobs.before("QEMU without block jobs, libvirt 7.1")
  static let oldVMDK = vmdkFile.before("vmdk file on libvirt 7.1")
  static let libvirt72 = Situation("libvirt 7.2, QEMU 4.2") {
    $0.daemonVersion = Version(7, 2)
    $0.hypervisorVersion = Version(4, 2)
  }
  static let qemu41 = Situation("QEMU 4.1") { $0.hypervisorVersion = Version(4, 1) }
  static let libvirt09 = Situation("libvirt 0.9.13") { $0.daemonVersion = Version(0, 9, 13) }
  static let libvirt10 = Situation("libvirt 1.0.0, QEMU 1.3") {
    $0.daemonVersion = Version(1, 0)
    $0.hypervisorVersion = Version(1, 3)
  }
  static let qemu12 = Situation("QEMU 1.2") { $0.hypervisorVersion = Version(1, 2, 2) }

  static let transient = Situation("transient") { $0.isPersistent = false }
  static let transientOnLibvirt34 = Situation("transient on libvirt 3.4 with snapshots") {
    $0.isPersistent = false
    $0.snapshotCount = 2
    $0.daemonVersion = Version(3, 4)
  }
  static let transientBlock = Situation("transient on an LVM volume") {
    logicalVolume.change(&$0)
    $0.isPersistent = false
  }
  static let snapshots = Situation("libvirt 3.4, 2 snapshots") {
    $0.daemonVersion = Version(3, 4)
    $0.snapshotCount = 2
  }
  static let checkpoints = Situation("libvirt 3.4, 1 checkpoint") {
    $0.daemonVersion = Version(3, 4)
    $0.checkpointCount = 1
  }
  static let tpm = Situation("libvirt 3.4 with a TPM") {
    $0.daemonVersion = Version(3, 4)
    $0.domain.tpm = .init(model: "tpm-crb", version: "2.0")
  }
  static let tpmOn88 = Situation("libvirt 8.8 with a TPM") {
    $0.daemonVersion = Version(8, 8)
    $0.domain.tpm = .init(model: "tpm-crb", version: "2.0")
  }
  static let tpmOn89 = Situation("libvirt 8.9 with a TPM") {
    $0.daemonVersion = Version(8, 9)
    $0.domain.tpm = .init(model: "tpm-crb", version: "2.0")
    $0.domain.tpm?.outlivesDefinition = true
  }
  /// On a daemon that can keep everything, with `--mechanism rebase` asked for.
  static let lastingTPM = Situation("a TPM with persistent state") {
    $0.domain.tpm = .init(model: "tpm-crb", version: "2.0")
    $0.domain.tpm?.outlivesDefinition = true
  }
  static let fleetingTPM = Situation("a TPM without persistent state") {
    $0.domain.tpm = .init(model: "tpm-crb", version: "2.0")
  }
  static let uefiOn22 = Situation("UEFI on libvirt 2.2") {
    $0.domain.isUEFI = true
    $0.daemonVersion = Version(2, 2)
  }
  static let uefiOn23 = Situation("UEFI on libvirt 2.3") {
    $0.domain.isUEFI = true
    $0.daemonVersion = Version(2, 3)
  }
  static let noBackupJobs = Situation("an emulator without backup jobs") {
    $0.hasBackupJobs = false
    $0.domain.emulator = "/opt/old/qemu"
  }
  static let ownEmulator = Situation("a newer emulator of its own") {
    $0.hypervisorVersion = Version(4, 1)
    $0.hasBackupJobs = true
  }
  static let hostDevices = Situation("host devices") {
    $0.domain.hostDevices = [ServerFixture.hostDevice]
  }
  static let virtiofs = Situation("a virtiofs file system, libvirt 9.0") {
    $0.daemonVersion = Version(9, 0)
    $0.domain.saveObstacle = .virtiofs
  }
  static let newVirtiofs = Situation("a virtiofs file system, libvirt 11.0") {
    $0.daemonVersion = Version(11, 0)
    $0.domain.saveObstacle = .virtiofs
  }

  static let container = Situation("running container") { $0.hypervisor = "LXC" }
  static let stoppedContainer = Situation("stopped container") {
    $0.hypervisor = "LXC"
    $0.state = .shutOff
  }
  static let xen = Situation("running Xen guest") { $0.hypervisor = "Xen" }
}
