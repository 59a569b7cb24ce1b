/// What a domain XML says of a server, as far as a snapshot needs it.
public struct DomainDescription: Sendable, Equatable {
  /// The domain's type: `kvm`, `qemu`, `lxc`.
  public var type = ""
  /// The domain's name.
  public var name = ""
  /// The UUID with hyphens.
  public var uuid = ""
  /// `os/type@arch`, for example `x86_64`.
  public var architecture: String?
  /// `os/type@machine`, for example `pc-q35-7.2`.
  public var machine: String?
  /// The emulator's path.
  package var emulator: String?
  /// Whether it boots through UEFI.
  public var isUEFI = false
  /// Whether secure boot is required.
  public var isSecureBoot = false
  /// Whether it has an emulated TPM.
  public var tpm: TPM?
  /// The model of the first SCSI controller.
  public var scsiModel: String?
  /// The model of the first network interface.
  public var interfaceModel: String?
  /// The model of the first video device.
  public var videoModel: String?
  /// libosinfo's id, for example `http://fedoraproject.org/fedora/18`.
  public var osInfoID: String?
  /// The memory that the guest may have at most, in bytes (`<memory>`).
  public var memory: UInt64?
  /// Every disk, in the XML's order.
  public var disks: [DiskDescription] = []
  /// Devices that must be out of the guest for a managed save: PCI, SR-IOV, mdev, SCSI, vDPA and
  /// shared memory.
  public var hostDevices: [HostDevice] = []
  /// What keeps the guest from being saved and can't be detached.
  package var saveObstacle: SaveObstacle?
  /// The guest agent's channel.
  public var agent = Agent.absent
  /// The user and group QEMU runs as (`<seclabel model='dac'>`), numeric.
  public var owner: Owner?

  /// An empty description.
  public init() {}

  /// The guest agent's channel in the XML.
  public enum Agent: Sendable, Equatable {
    /// No channel `org.qemu.guest_agent.0`.
    case absent
    /// A channel to which no agent is connected.
    case disconnected
    /// An agent has opened its end.
    case connected
  }

  /// A host device as it stands in the XML.
  public struct HostDevice: Sendable, Equatable {
    /// Its element, to detach and to attach it with.
    public var xml: String
    /// What to call it in messages, for example `pci 0000:03:00.0`.
    public var label: String
    /// Makes a description of a host device.
    public init(xml: String, label: String) {
      self.xml = xml
      self.label = label
    }
  }

  /// What keeps a guest from being saved, whatever is detached.
  package enum SaveObstacle: String, Sendable, Equatable {
    /// A directory of the host, by virtiofs.
    case virtiofs = "a virtiofs file system"
    /// The first kind of shared memory.
    case legacySharedMemory = "shared memory of the model ivshmem"
  }

  /// An emulated TPM.
  public struct TPM: Sendable, Equatable {
    /// `tpm-tis` or `tpm-crb`.
    public var model: String
    /// `1.2` or `2.0`.
    public var version: String?
    /// Whether its state outlives the definition: `<backend persistent_state='yes'/>`, or a TPM of
    /// the host (`passthrough`, `external`).
    package var outlivesDefinition = false
    /// Makes a description of a TPM.
    public init(model: String, version: String?) {
      self.model = model
      self.version = version
    }
  }

  /// A numeric user and group.
  public struct Owner: Sendable, Equatable {
    /// The user's number.
    public var user: Int
    /// The group's number.
    public var group: Int
    /// Makes an owner.
    public init(user: Int, group: Int) {
      self.user = user
      self.group = group
    }
  }
}

/// One `<disk>` of a domain XML.
public struct DiskDescription: Sendable, Equatable {
  /// `disk`, `cdrom`, `floppy` or `lun`.
  public var device = "disk"
  /// The target, for example `vda`: libvirt's handle for the disk.
  public var target = ""
  /// The bus, for example `virtio`.
  public var bus: String?
  /// Where the bytes are.
  public var source = Source.none
  /// The format by `<driver type>`; libvirt takes `raw` where the XML does not say.
  public var format = "raw"
  /// `<readonly/>`.
  public var isReadOnly = false
  /// `<transient/>`: changes are thrown away at the next stop.
  public var isTransient = false
  /// The encryption's format (`luks`), where there is one.
  public var encryption: String?
  /// `<boot order>`.
  public var bootOrder: Int?
  /// The files below the disk, as far as the XML names them, top first.
  public var backing: [Layer] = []
  /// A mirror under way on this disk.
  public var mirror: Mirror?

  /// A writable raw disk without source.
  public init() {}

  /// What kind of thing holds the bytes.
  public enum Source: Sendable, Equatable, CustomStringConvertible {
    /// No media.
    case none
    /// A file.
    case file(String)
    /// A block device.
    case block(String)
    /// A network protocol and the name there, for example `rbd`, `vms/img`.
    case network(protocol: String, name: String)
    /// Anything else, with the XML's word for it.
    case other(String)

    /// The kind and the place.
    public var description: String {
      switch self {
      case .none: "no media"
      case .file(let path): path
      case .block(let path): "block device \(path)"
      case .network(let name, let image): "\(name):\(image)"
      case .other(let kind): "source of type '\(kind)'"
      }
    }

    /// The path where it is a file or a block device.
    public var path: String? {
      switch self {
      case .file(let path), .block(let path): path
      default: nil
      }
    }
  }

  /// A file below the disk.
  public struct Layer: Sendable, Equatable {
    /// Its path.
    public var path: String
    /// Its format, as the XML says it.
    public var format: String
    /// Makes a layer.
    public init(path: String, format: String) {
      self.path = path
      self.format = format
    }
  }

  /// A `<mirror>`: where a copy job writes.
  public struct Mirror: Sendable, Equatable {
    /// The target's path.
    public var path: String?
    /// Whether the copy has caught up (`ready='yes'`); `cur == end` alone does not say that.
    public var isReady: Bool
    /// Makes a mirror.
    public init(path: String?, isReady: Bool) {
      self.path = path
      self.isReady = isReady
    }
  }
}
