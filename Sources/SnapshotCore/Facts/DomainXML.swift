internal import Foundation
internal import FoundationXML

/// Reads a libvirt domain XML into a `DomainDescription`.
///
/// Source of the element names: libvirt's `formatdomain`.
enum DomainXML {
  /// - Throws: `badXML` when the text is no domain XML.
  static func parse(_ text: String) throws(SnapshotError) -> DomainDescription {
    let root = try rootElement(of: text)
    guard root.name == "domain" else {
      throw notUnderstood("its root element is not <domain>")
    }
    return try describe(root)
  }

  /// Parses a text that may be anything: FoundationXML's tree builder ends the process on some texts
  /// that are not well-formed, so its event parser, which does not, looks first.
  private static func rootElement(of text: String) throws(SnapshotError) -> XMLElement {
    // No longer string comes from libvirt's daemon (REMOTE_STRING_MAX).
    guard text.utf8.count <= 4 << 20 else { throw notUnderstood("it is larger than 4 MiB") }
    // libvirt writes no document type: without one there are no entities to read or to multiply.
    let data = Data(text.utf8)
    guard data.range(of: Data("<!DOCTYPE".utf8)) == nil, !data.contains(0) else {
      throw notUnderstood("it has a document type or a null byte")
    }
    let parser = XMLParser(data: data)
    // libxml2's warnings and namespace errors are none: libvirt keeps such metadata of others.
    let isComplete = !data.isEmpty && parser.parse()
    let code = parser.parserError.map { ($0 as NSError).code }
    guard code.map({ 97...100 ~= $0 || $0 >= 200 }) ?? isComplete else {
      throw notUnderstood("it is not well-formed", cause: parser.parserError)
    }
    do {
      let document = try XMLDocument(data: data, options: [.nodeLoadExternalEntitiesNever])
      if let root = document.rootElement() {
        // Detached, or it would go with its document.
        root.detach()
        return root
      }
    } catch {
      throw notUnderstood("it is not well-formed", cause: error)
    }
    throw notUnderstood("it has no root element")
  }

  private static func describe(_ root: XMLElement) throws(SnapshotError) -> DomainDescription {
    var domain = DomainDescription()
    domain.type = root["type"] ?? ""
    guard let name = root.text("name"), let uuid = root.text("uuid"), !name.isEmpty, !uuid.isEmpty
    else {
      throw notUnderstood("it has no <name> or no <uuid>")
    }
    domain.name = name
    domain.uuid = uuid
    let osType = root.first("os/type")
    domain.architecture = osType?["arch"]
    domain.machine = osType?["machine"]
    domain.emulator = root.text("devices/emulator")
    let loader = root.first("os/loader")
    domain.isUEFI = root.first("os")?["firmware"] == "efi" || loader?["type"] == "pflash"
    domain.isSecureBoot =
      loader?["secure"] == "yes"
      || root.all("os/firmware/feature").contains {
        $0["name"] == "secure-boot" && $0["enabled"] == "yes"
      }
    if let tpm = root.first("devices/tpm") {
      let backend = tpm.first("backend")
      domain.tpm = .init(model: tpm["model"] ?? "tpm-tis", version: backend?["version"])
      domain.tpm?.outlivesDefinition =
        ["passthrough", "external"].contains(backend?["type"])
        || backend?["persistent_state"] == "yes"
    }
    domain.scsiModel =
      root.all("devices/controller").first { $0["type"] == "scsi" }?["model"]
    domain.interfaceModel = root.first("devices/interface/model")?["type"]
    domain.videoModel = root.first("devices/video/model")?["type"]
    domain.osInfoID = root.osInfoID
    domain.memory = root.first("memory").flatMap(memory)
    domain.disks = root.all("devices/disk").map(disk)
    domain.hostDevices = HostDevices.all(in: root)
    domain.saveObstacle = HostDevices.saveObstacle(in: root)
    domain.agent = agent(root)
    domain.owner = owner(root)
    return domain
  }

  /// libvirt itself writes KiB, whatever unit it was given.
  private static func memory(_ element: XMLElement) -> UInt64? {
    guard element["unit"] ?? "KiB" == "KiB",
      let (bytes, isMore) = element.stringValue.flatMap({ UInt64($0) })?
        .multipliedReportingOverflow(by: 1024), !isMore
    else { return nil }
    return bytes
  }

  private static func disk(_ element: XMLElement) -> DiskDescription {
    var disk = DiskDescription()
    disk.device = element["device"] ?? "disk"
    disk.target = element.first("target")?["dev"] ?? ""
    disk.bus = element.first("target")?["bus"]
    disk.source = source(of: element, type: element["type"] ?? "file")
    disk.format = element.first("driver")?["type"] ?? "raw"
    disk.isReadOnly = element.first("readonly") != nil
    disk.isTransient = element.first("transient") != nil
    let encryption = element.first("source/encryption") ?? element.first("encryption")
    disk.encryption = encryption.map { $0["format"] ?? "unknown" }
    disk.bootOrder = element.first("boot")?["order"].flatMap { Int($0) }
    if let mirror = element.first("mirror") {
      disk.mirror = .init(
        path: mirror.first("source")?["file"] ?? mirror["file"],
        isReady: mirror["ready"] == "yes")
    }
    var layer = element.first("backingStore")
    while let element = layer, let format = element.first("format")?["type"],
      let path = source(of: element, type: element["type"] ?? "file").path
    {
      disk.backing.append(.init(path: path, format: format))
      layer = element.first("backingStore")
    }
    return disk
  }

  private static func source(of element: XMLElement, type: String) -> DiskDescription.Source {
    guard let source = element.first("source") else { return .none }
    switch type {
    case "file": return source["file"].map { .file($0) } ?? .none
    case "block": return source["dev"].map { .block($0) } ?? .none
    case "network":
      return .network(protocol: source["protocol"] ?? "unknown", name: source["name"] ?? "")
    default: return .other(type)
    }
  }

  /// What tells a host device from another: what it is on the host.
  static func hostDeviceKey(_ xml: String) throws(SnapshotError) -> String {
    HostDevices.key(try rootElement(of: xml)) ?? xml
  }

  private static func agent(_ root: XMLElement) -> DomainDescription.Agent {
    let targets = root.all("devices/channel/target")
    guard let target = targets.first(where: { $0["name"] == "org.qemu.guest_agent.0" }) else {
      return .absent
    }
    return target["state"] == "connected" ? .connected : .disconnected
  }

  /// `<label>+64055:+107</label>`: a plus marks a number.
  private static func owner(_ root: XMLElement) -> DomainDescription.Owner? {
    let label = root.all("seclabel").first { $0["model"] == "dac" }?.text("label")
    let numbers = (label ?? "").split(separator: ":").compactMap { Int($0.drop { $0 == "+" }) }
    return numbers.count == 2 ? .init(user: numbers[0], group: numbers[1]) : nil
  }

  private static func notUnderstood(_ what: String, cause: (any Error)? = nil) -> SnapshotError {
    SnapshotError(
      .badXML, "the domain XML was not understood: \(what)",
      remedy: "Check it with `virsh dumpxml` and `virt-xml-validate`", cause: cause)
  }
}

extension XMLElement {
  /// An attribute's value.
  subscript(_ attribute: String) -> String? {
    self.attribute(forName: attribute)?.stringValue
  }

  /// The elements at a path of names.
  func all(_ path: String) -> [XMLElement] {
    path.split(separator: "/").reduce([self]) { elements, name in
      elements.flatMap { $0.elements(forName: String(name)) }
    }
  }

  func first(_ path: String) -> XMLElement? { all(path).first }

  fileprivate func text(_ path: String) -> String? { first(path)?.stringValue }

  /// libosinfo's id, in `<metadata>` under a namespace of its own.
  fileprivate var osInfoID: String? {
    for element in first("metadata")?.children ?? [] {
      guard let info = element as? XMLElement, info.localName == "libosinfo" else { continue }
      for child in info.children ?? [] where child.localName == "os" {
        return (child as? XMLElement)?.attribute(forName: "id")?.stringValue
      }
    }
    return nil
  }
}
