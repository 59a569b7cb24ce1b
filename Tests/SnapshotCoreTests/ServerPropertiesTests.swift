import Testing

@testable import SnapshotCore

@Suite struct ServerPropertiesTests {
  private func properties(_ change: (inout Facts) -> Void) -> [String: String] {
    let facts = ServerFixture.facts(change)
    return ServerProperties.of(facts, disk: facts.root)
  }

  @Test func `a bare server gives what nova records and no more`() {
    #expect(
      properties { _ in } == [
        "image_type": "snapshot", "image_state": "available", "image_location": "snapshot",
        "instance_uuid": "542d3ac2-f77a-40f3-ba72-14ce4cab353c", "hw_firmware_type": "bios",
        "hw_disk_bus": "virtio",
      ])
  }

  @Test func `a full server gives everything another host must know`() {
    let all = properties {
      $0.domain.architecture = "x86_64"
      $0.domain.machine = "pc-q35-7.2"
      $0.domain.isUEFI = true
      $0.domain.isSecureBoot = true
      $0.domain.tpm = .init(model: "tpm-crb", version: "2.0")
      $0.domain.scsiModel = "virtio-scsi"
      $0.domain.interfaceModel = "e1000e"
      $0.domain.videoModel = "qxl"
      $0.domain.osInfoID = "http://fedoraproject.org/fedora/18"
      $0.domain.agent = .disconnected
      $0.root.bus = "scsi"
    }
    #expect(
      all == [
        "image_type": "snapshot", "image_state": "available", "image_location": "snapshot",
        "instance_uuid": "542d3ac2-f77a-40f3-ba72-14ce4cab353c", "architecture": "x86_64",
        "hw_machine_type": "q35", "hw_firmware_type": "uefi", "os_secure_boot": "required",
        "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi", "hw_vif_model": "e1000e",
        "hw_video_model": "qxl", "hw_qemu_guest_agent": "yes", "hw_tpm_model": "tpm-crb",
        "hw_tpm_version": "2.0", "os_type": "linux", "os_distro": "fedora", "os_version": "18",
      ])
  }

  static let machines = [
    ("pc-q35-7.2", "q35"), ("pc-i440fx-7.2", "pc"), ("virt-8.0", "virt"), ("pc", "pc"),
    ("q35", "q35"), ("s390-ccw-virtio-7.2", "s390-ccw-virtio-7.2"),
  ]

  @Test(arguments: machines)
  func `a machine type is freed of its version`(_ machine: String, portable: String) {
    #expect(properties { $0.domain.machine = machine }["hw_machine_type"] == portable)
  }

  static let systems: [(String?, [String?])] = [
    ("http://fedoraproject.org/fedora/18", ["linux", "fedora", "18"]),
    ("http://microsoft.com/win/10", ["windows", "win", "10"]),
    ("http://debian.org/debian/12", ["linux", "debian", "12"]),
    ("http://ubuntu.com/ubuntu/24.04", ["linux", "ubuntu", "24.04"]),
    ("http://redhat.com/rhel/9.4", ["linux", "rhel", "9.4"]),
    ("http://libosinfo.org/linux/2022", ["linux", "linux", "2022"]),
    // Nova refuses to boot an image whose os_type is neither linux nor windows.
    ("http://freebsd.org/freebsd/14.0", [nil, "freebsd", "14.0"]),
    ("http://openbsd.org/openbsd/7.5", [nil, "openbsd", "7.5"]),
    ("http://netbsd.org/netbsd/10.0", [nil, "netbsd", "10.0"]),
    ("http://microsoft.com/msdos/6.22", [nil, "msdos", "6.22"]),
    ("http://oracle.com/solaris/11.4", [nil, "solaris", "11.4"]),
    ("http://apple.com/macosx/10.7", [nil, "macosx", "10.7"]),
    ("fedora/18", [nil, nil, nil]),
    ("", [nil, nil, nil]),
    (nil, [nil, nil, nil]),
  ]

  @Test(arguments: systems)
  func `libosinfo's id tells the operating system`(_ id: String?, expected: [String?]) {
    let properties = properties { $0.domain.osInfoID = id }
    #expect([properties["os_type"], properties["os_distro"], properties["os_version"]] == expected)
  }

  @Test func `what Glance does not know is left out`() {
    let properties = properties {
      $0.root.bus = "nvme"
      $0.domain.scsiModel = "virtio-scsi"
      $0.domain.interfaceModel = "virtio-non-transitional"
      $0.domain.videoModel = "ramfb"
      $0.domain.tpm = .init(model: "spapr-tpm-proxy", version: "2.0")
    }
    for key in [
      "hw_disk_bus", "hw_scsi_model", "hw_vif_model", "hw_video_model", "hw_tpm_model",
      "hw_tpm_version", "os_secure_boot", "hw_qemu_guest_agent",
    ] {
      #expect(properties[key] == nil, "\(key)")
    }
  }

  static let sizes: [(UInt64, Int)] = [
    (0, 0), (1, 1), (1 << 30, 1), ((1 << 30) + 1, 2), ((5 << 30) - 1, 5), (5 << 30, 5),
    (1 << 50, 1 << 20),
  ]

  @Test(arguments: sizes)
  func `the least disk is rounded up to whole GiB`(_ bytes: UInt64, gibibytes: Int) {
    #expect(ServerProperties.minDisk(virtualSize: bytes) == gibibytes)
  }
}
