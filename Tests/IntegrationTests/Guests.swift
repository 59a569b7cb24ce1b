import Foundation
import Testing

/// Test guests, made on demand and brought into the state that a test wants.
enum Guests {
  /// How a guest's disk is stored.
  enum Format: String, CaseIterable, Sendable {
    /// qcow2 over a qcow2 base.
    case overlay
    /// A qcow2 of its own.
    case qcow2
    /// Raw.
    case raw
    /// A loop device, as a stand-in for a logical volume.
    case block

    /// QEMU's name of the top layer's format.
    var driver: String { self == .raw || self == .block ? "raw" : "qcow2" }
  }

  /// What a guest does when the snapshot begins.
  enum State: String, CaseIterable, Sendable {
    case running
    case paused
    case saved
    case shutOff = "shut off"
    /// Running, without a definition.
    case transient
  }

  /// Gives the name of a guest with this disk in this state.
  ///
  /// A running one is frozen through its agent, so that its disk stands still and can be compared.
  static func prepare(_ format: Format, _ state: State) async throws -> String {
    let name = state == .transient ? "t-\(format.rawValue)-transient" : "t-\(format.rawValue)"
    let known = try await Lab.virsh("list", "--all", "--name").split(separator: "\n")
    if !known.contains(Substring(name)) {
      if state == .transient {
        try await Lab.lab("guest", "add", name, format.rawValue, "--transient")
      } else {
        try await Lab.lab("guest", "add", name, format.rawValue)
      }
      try await Lab.lab("guest", "wait", name)
    }
    switch state {
    case .running, .transient:
      try await start(name)
      _ = try await Lab.run("virsh", ["-q", "domfsthaw", name])
      _ = try await Lab.virsh("domfsfreeze", name)
    case .paused:
      try await start(name)
      _ = try await Lab.run("virsh", ["-q", "domfsthaw", name])
      _ = try await Lab.virsh("suspend", name)
    case .saved:
      if try await Lab.virsh("domstate", name) != "shut off" {
        _ = try await Lab.virsh("managedsave", name)
      }
    case .shutOff:
      if try await Lab.virsh("domstate", name) != "shut off" {
        _ = try await Lab.virsh("destroy", name)
      }
      _ = try await Lab.run("virsh", ["-q", "managedsave-remove", name])
    }
    return name
  }

  /// Lets a guest that `prepare` froze write again, and sees it do so.
  static func expectAlive(_ name: String, sourceLocation: SourceLocation = #_sourceLocation)
    async throws
  {
    _ = try await Lab.run("virsh", ["-q", "domfsthaw", name])
    let before = try await record(name)
    try await Lab.wait("a new record of \(name)", sourceLocation: sourceLocation) {
      try await record(name) > before
    }
  }

  /// Stops a guest's processor use without changing what later tests find.
  static func rest(_ name: String) async throws {
    _ = try await Lab.run("virsh", ["-q", "suspend", name])
  }

  static func remove(_ name: String) async throws { try await Lab.lab("guest", "remove", name) }

  /// The file that holds the disk.
  static func disk(_ name: String, _ format: Format) -> String {
    "\(Lab.guestFolder)/\(name).\(format.driver)"
  }

  /// The last record that a guest's console says is on disk.
  static func record(_ name: String) async throws -> Int {
    Int(try await Lab.must(Lab.root + "/scripts/lab", "guest", "record", name)) ?? 0
  }

  private static func start(_ name: String) async throws {
    switch try await Lab.virsh("domstate", name) {
    case "paused": _ = try await Lab.virsh("resume", name)
    case "shut off":
      _ = try await Lab.virsh("start", name)
      if try await Lab.virsh("domstate", name) == "paused" {
        _ = try await Lab.virsh("resume", name)
      }
      try await Lab.lab("guest", "wait", name)
    default: break
    }
  }
}

/// Everything of a server, its host and the image service that a snapshot must leave as it was.
struct Surroundings: Equatable, Sendable {
  let state: String
  let isPersistent: Bool
  let hasManagedSave: Bool
  let autostarts: Bool
  /// The secure inactive XML, byte for byte; the live one of a transient server.
  let xml: String
  let blockJob: String
  let files: [String]
  let images: [String]

  static func of(_ name: String) async throws -> Surroundings {
    let info = try await Lab.virsh("dominfo", name)
    func says(_ key: String, _ value: String) -> Bool {
      info.split(separator: "\n").contains { $0.hasPrefix(key) && $0.hasSuffix(value) }
    }
    let isPersistent = says("Persistent:", "yes")
    let isActive = try await Lab.virsh("domstate", name) != "shut off"
    let journals = "/var/lib/image-create/journal"
    return Surroundings(
      state: try await Lab.virsh("domstate", name), isPersistent: isPersistent,
      hasManagedSave: says("Managed save:", "yes"), autostarts: says("Autostart:", "enable"),
      xml: isPersistent
        ? try await Lab.virsh("dumpxml", name, "--security-info", "--inactive")
        : try await Lab.virsh("dumpxml", name, "--security-info"),
      blockJob: isActive ? try await Lab.virsh("blockjob", name, "vda", "--raw") : "",
      files: [
        Lab.guestFolder, Lab.spoolFolder, Lab.stateFolder, journals, "/var/lib/libvirt/qemu/save",
      ]
      .flatMap { folder in Lab.names(in: folder).map { "\(folder)/\($0)" } },
      images: try await Cloud.imageIDs())
  }
}
