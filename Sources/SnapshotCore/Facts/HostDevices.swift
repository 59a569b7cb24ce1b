internal import FoundationXML

/// What of the host a guest has hold of: it must be out of the guest for a managed save.
///
/// Source: libvirt's `qemuMigrationSrcIsAllowed`, which a save asks as well.
enum HostDevices {
  /// Every device that a save needs detached. A USB device does not hinder it.
  static func all(in root: XMLElement) -> [DomainDescription.HostDevice] {
    let devices = root.all("devices/hostdev").filter {
      ["pci", "mdev", "scsi", "scsi_host"].contains($0["type"])
    }
    let interfaces = root.all("devices/interface").filter {
      $0["type"] == "hostdev" || $0["type"] == "vdpa"
    }
    // Memory that other guests write to; only its owner (role master) takes it along.
    let memory = root.all("devices/shmem").filter {
      $0["role"] != "master" && $0.first("model")?["type"] != "ivshmem"
    }
    return (devices + interfaces + memory).map { .init(xml: $0.xmlString, label: label($0)) }
  }

  /// Why the guest can't be saved, whatever is detached: completes "it has …".
  static func saveObstacle(in root: XMLElement) -> DomainDescription.SaveObstacle? {
    if root.all("devices/shmem").contains(where: { $0.first("model")?["type"] == "ivshmem" }) {
      return .legacySharedMemory
    }
    let isShared = root.all("devices/filesystem").contains {
      $0.first("driver")?["type"] == "virtiofs"
    }
    return isShared ? .virtiofs : nil
  }

  /// What a device is on the host; nil if its element does not say.
  static func key(_ element: XMLElement) -> String? {
    if element.name == "shmem" { return element["name"].map { "shmem \($0)" } }
    guard let source = element.first("source") else { return nil }
    if let device = source["dev"] { return "vdpa \(device)" }
    if let port = source["wwpn"] { return "scsi_host \(port)" }
    let address = source.first("address")?.xmlString
    return source.first("adapter").map { $0.xmlString + (address ?? "") } ?? address
  }

  private static func label(_ element: XMLElement) -> String {
    if element.name == "shmem" { return "shared memory \(element["name"] ?? "")" }
    let source = element.first("source")
    let address = source?.first("address")
    let name =
      source?["dev"] ?? source?["wwpn"] ?? address?["uuid"]
      ?? (["domain", "bus", "slot", "function"].compactMap { address?[$0] }
      .map { $0.hasPrefix("0x") ? String($0.dropFirst(2)) : $0 }
      + ["target", "unit"].compactMap { address?[$0] }).joined(separator: ":")
    let adapter = source?.first("adapter")?["name"].map { "\($0):" } ?? ""
    return "\(element["type"] ?? "host device") \(adapter)\(name)"
  }
}
