/// The image properties that a server's facts give, named as Nova and Glance name them.
public enum ServerProperties {
  /// What Nova records on a snapshot, and what another host must know to boot the image.
  ///
  /// Sources: Nova's `_create_snapshot_metadata` and `get_image_from_system_metadata`; the
  /// `hw_*` names and their values from Nova's `fields.py` and Glance's metadefs.
  public static func of(_ facts: Facts, disk: DiskDescription) -> [String: String] {
    let domain = facts.domain
    var properties = [
      "image_type": "snapshot", "image_state": "available", "image_location": "snapshot",
      "instance_uuid": domain.uuid,
    ]
    properties["architecture"] = domain.architecture
    properties["hw_machine_type"] = domain.machine.map(portableMachine)
    properties["hw_firmware_type"] = domain.isUEFI ? "uefi" : "bios"
    if domain.isSecureBoot { properties["os_secure_boot"] = "required" }
    if let bus = disk.bus, knownBuses.contains(bus) { properties["hw_disk_bus"] = bus }
    if disk.bus == "scsi", let model = domain.scsiModel, knownSCSI.contains(model) {
      properties["hw_scsi_model"] = model
    }
    if let model = domain.interfaceModel, knownInterfaces.contains(model) {
      properties["hw_vif_model"] = model
    }
    if let model = domain.videoModel, knownVideo.contains(model) {
      properties["hw_video_model"] = model
    }
    if domain.agent != .absent { properties["hw_qemu_guest_agent"] = "yes" }
    if let tpm = domain.tpm, tpm.model == "tpm-tis" || tpm.model == "tpm-crb" {
      properties["hw_tpm_model"] = tpm.model
      properties["hw_tpm_version"] = tpm.version
    }
    properties.merge(operatingSystem(domain.osInfoID)) { kept, _ in kept }
    return properties
  }

  /// The least disk in whole GiB that holds a disk of this many bytes.
  public static func minDisk(virtualSize: UInt64) -> Int {
    let gibibyte: UInt64 = 1 << 30
    return Int((virtualSize + gibibyte - 1) / gibibyte)
  }

  /// A versioned machine such as `pc-q35-7.2` binds the image to hosts that have that version.
  private static func portableMachine(_ machine: String) -> String {
    if machine.hasPrefix("pc-q35") { return "q35" }
    if machine.hasPrefix("pc-i440fx") { return "pc" }
    if machine.hasPrefix("virt-") { return "virt" }
    return machine
  }

  /// libosinfo's ids end in `/system/version`.
  private static func operatingSystem(_ id: String?) -> [String: String] {
    guard let parts = id?.split(separator: "/"), parts.count >= 3 else { return [:] }
    let distro = String(parts[parts.count - 2])
    var properties = ["os_distro": distro, "os_version": String(parts[parts.count - 1])]
    properties["os_type"] = operatingSystemType(distro)
    return properties
  }

  /// Nova takes `linux` and `windows` and refuses every other value (`OSType` in its `fields.py`), so
  /// whatever is not known to be one of them, a BSD for example, has none.
  private static func operatingSystemType(_ distro: String) -> String? {
    if distro == "win" || distro == "windows" { return "windows" }
    return knownLinux.contains(distro) ? "linux" : nil
  }

  /// The Linux systems of libosinfo's database, by the last but one part of their ids.
  private static let knownLinux: Set = [
    "alma", "almalinux", "alpinelinux", "altlinux", "amazon", "android-x86", "archlinux", "asahi",
    "asianux", "bclinux", "caixamagica", "centos", "centos-stream", "circle", "cirros",
    "clearlinux", "coreos", "debian", "deepin", "devuan", "elementary", "endlessos", "eurolinux",
    "fedora", "flatcar", "gentoo", "gnome", "gooroom", "guix", "hyperbola", "kali", "linux",
    "mageia", "mandrake", "mandriva", "manjaro", "meego", "mint", "miraclelinux", "mx", "nixos",
    "ol", "oracle", "openeuler", "opensuse", "pop_os", "pop", "pureos", "rhel", "rhel-atomic",
    "rhl", "rocky", "scientificlinux", "silverblue", "slackware", "sled", "slem", "sle", "sles",
    "slitaz", "tails", "trisquel", "ubuntu", "voidlinux", "zorin",
  ]

  private static let knownBuses: Set = [
    "fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml",
  ]
  private static let knownSCSI: Set = [
    "buslogic", "ibmvscsi", "lsilogic", "lsisas1068", "lsisas1078", "virtio-scsi", "vmpvscsi",
  ]
  private static let knownInterfaces: Set = [
    "e1000", "e1000e", "igb", "ne2k_pci", "netfront", "pcnet", "rtl8139", "spapr-vlan", "virtio",
    "vmxnet3",
  ]
  private static let knownVideo: Set = [
    "bochs", "cirrus", "gop", "none", "qxl", "vga", "virtio", "vmvga", "xen",
  ]
}
