public import Foundation

/// What takes one acquired thing back. A value, not a closure, so that a journal can hold it.
public enum UndoAction: Sendable, Equatable, Codable {
  /// Delete an image that this run created and could not finish.
  case deleteImage(id: UUID)
  /// Remove this run's private folder with everything in it.
  case removeFolder(path: String)
  /// Remove one file of this run.
  case removeFile(path: String)
  /// End programs of a dead run, such as `qemu-img`, that still work in its folder.
  case endPrograms(folder: String)
  /// Thaw the guest's file systems.
  case thaw
  /// End the mirror of a disk into a file of this run.
  case abortMirror(disk: String, target: String)
  /// End the backup job whose NBD server listens at a socket of this run.
  case abortBackup(socket: String, wasRunning: Bool)
  /// Define the server again from its saved XML, with its autostart flag.
  case define(xmlPath: String, autostarts: Bool)
  /// Start the server again from its managed save image. `saved` is that of this run once it is
  /// written: another one is not ours to start from.
  case start(saved: SavedMemory? = nil)
  /// Put a host device back into the guest.
  case attach(deviceXML: String, label: String)
  /// The same for a device that the guest was asked to give up, and may not have yet.
  case attachOnceGone(deviceXML: String, label: String)

  /// What it does, for messages: completes "could not …".
  public var purpose: String {
    switch self {
    case .deleteImage(let id): "delete the unfinished image \(id.uuidString.lowercased())"
    case .removeFolder(let path): "remove the folder \(path)"
    case .removeFile(let path): "remove the file \(path)"
    case .endPrograms(let folder): "end the programs that work in \(folder)"
    case .thaw: "thaw the guest's file systems"
    case .abortMirror(let disk, let target): "end the mirror of disk '\(disk)' into \(target)"
    case .abortBackup: "end the backup job"
    case .define(let path, _): "define the server again from \(path)"
    case .start: "start the server again"
    case .attach(_, let label), .attachOnceGone(_, let label):
      "attach the host device \(label) again"
    }
  }

  /// The command with which a person does it by hand.
  ///
  /// - Parameters:
  ///   - server: the domain's name.
  ///   - uri: the connection's URI.
  public func command(server: String, uri: String) -> String {
    let virsh = "virsh -c \(uri.shellWord)"
    let server = server.quotedForShell
    switch self {
    case .deleteImage(let id): return "openstack image delete \(id.uuidString.lowercased())"
    case .removeFolder(let path): return "rm -r \(path.quotedForShell)"
    case .removeFile(let path): return "rm \(path.quotedForShell)"
    case .endPrograms(let folder):
      // Nothing but these programs, whoever else names the folder.
      let names = StrayPrograms.programs.sorted().joined(separator: "|")
      return "pkill -f \("^([^ ]*/)?(\(names)) .*\(folder.quotedForPattern)/".quotedForShell)"
    case .thaw: return "\(virsh) domfsthaw \(server)"
    case .abortMirror(let disk, _):
      return "\(virsh) blockjob \(server) \(disk.quotedForShell) --abort"
    case .abortBackup: return "\(virsh) domjobabort \(server)"
    case .define(let path, let autostarts):
      let define = "\(virsh) define \(path.quotedForShell)"
      return autostarts ? "\(define) && \(virsh) autostart \(server)" : define
    case .start: return "\(virsh) start \(server)"
    case .attach(let xml, _), .attachOnceGone(let xml, _):
      return "printf %s \(xml.quotedForShell) | \(virsh) attach-device \(server) --live /dev/stdin"
    }
  }

  /// Its kind, for `scripts/torture`.
  var name: String {
    switch self {
    case .deleteImage: "deleteImage"
    case .removeFolder: "removeFolder"
    case .removeFile: "removeFile"
    case .endPrograms: "endPrograms"
    case .thaw: "thaw"
    case .abortMirror: "abortMirror"
    case .abortBackup: "abortBackup"
    case .define: "define"
    case .start: "start"
    case .attach: "attach"
    case .attachOnceGone: "attachOnceGone"
    }
  }

  /// Whether no other run may begin before this is done.
  package var hindersRuns: Bool {
    // A device that the guest keeps until its reboot stands in nobody's way.
    if case .attachOnceGone = self { false } else { concernsServer }
  }

  /// Whether the server is not as it was until this is done.
  public var concernsServer: Bool {
    switch self {
    case .deleteImage, .removeFolder, .removeFile, .endPrograms: false
    case .thaw, .abortMirror, .abortBackup, .define, .start, .attach, .attachOnceGone: true
    }
  }

  /// How long it may take before it is given up.
  var limit: Duration {
    switch self {
    case .removeFile, .removeFolder, .endPrograms: .seconds(60)
    case .thaw, .deleteImage, .define, .attach, .attachOnceGone: .seconds(120)
    // The state change lock alone may take 30 s, memory comes back from disk.
    case .abortMirror, .abortBackup: .seconds(120)
    case .start: .seconds(3600)
    }
  }
}

extension String {
  /// The text as one word of a POSIX shell: between apostrophes, each of its own written `'\''`.
  var quotedForShell: String { "'" + replacing("'", with: "'\\''") + "'" }

  /// The text as an extended regular expression that matches nothing else.
  fileprivate var quotedForPattern: String {
    reduce(into: "") { pattern, character in
      if #"\.[]{}()*+?^$|"#.contains(character) { pattern.append("\\") }
      pattern.append(character)
    }
  }

  /// The same, but as it is where a shell takes it so: ordinary names and URIs stay readable.
  package var shellWord: String { !isEmpty && allSatisfy(\.isPlainInShell) ? self : quotedForShell }
}

extension Character {
  fileprivate var isPlainInShell: Bool {
    isASCII && (isLetter || isNumber || ":/+@.-_".contains(self))
  }
}
