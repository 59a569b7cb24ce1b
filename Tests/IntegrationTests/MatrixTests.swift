import Foundation
import Testing

extension IntegrationTests {
  /// Every mechanism with every kind of disk in every state.
  @Suite(.serialized)
  struct Matrix {
    /// One cell of the matrix.
    struct Cell: Sendable, CustomTestStringConvertible {
      let mechanism: String
      let format: Guests.Format
      let state: Guests.State

      var testDescription: String { "\(mechanism), \(format.rawValue), \(state.rawValue)" }

      /// Whether the mechanism can take a server in this state.
      var isPossible: Bool {
        switch mechanism {
        case "backup", "copy", "rebase":
          state == .running || state == .paused || state == .transient
        case "managedSave": state == .running || state == .paused
        default: state == .saved || state == .shutOff
        }
      }

      /// Grouped so that guests change their state seldom.
      static let all = [Guests.Format.overlay, .qcow2, .raw].flatMap { format in
        [Guests.State.running, .paused, .saved, .shutOff, .transient].flatMap { state in
          ["backup", "copy", "rebase", "managedSave", "offline"].map {
            Cell(mechanism: $0, format: format, state: state)
          }
        }
      }
    }

    @Test(
      "A snapshot is the disk at that instant, and the server is as it was",
      arguments: Cell.all.filter(\.isPossible))
    func snapshot(_ cell: Cell) async throws {
      try Lab.require()
      let name = try await Guests.prepare(cell.format, cell.state)
      if cell.state != .transient { _ = try await Lab.virsh("autostart", name) }
      var id = ""
      try await leavingAsItWas(name) {
        let outcome = try await Lab.imageCreate(
          "--show", "--mechanism", cell.mechanism, "--quiesce", "never", name, "matrix")
        outcome.expect(0)
        #expect(outcome.errors.isEmpty)
        id = try #require(property("id", in: outcome.output))
        let image = try await Cloud.image(id)
        #expect(image["status"] == "active")
        #expect(image["disk_format"] == cell.format.driver)
        #expect(image["instance_uuid"] == (try await Lab.virsh("domuuid", name)))
        try await expectEqual(
          image: Cloud.file(id), cell.format.driver, disk: Guests.disk(name, cell.format),
          cell.format.driver)
        if cell.format != .raw {
          try await Lab.must("qemu-img", "check", "-q", "-f", "qcow2", Cloud.file(id))
        }
        try await Cloud.delete(id)
      }
      if cell.state == .running || cell.state == .transient { try await Guests.expectAlive(name) }
      if cell.state == .transient, cell.mechanism == "rebase" { try await Guests.remove(name) }
    }

    @Test(
      "A mechanism that does not fit the state is refused with the reason, and nothing is touched",
      arguments: Cell.all.filter { !$0.isPossible && $0.format == .overlay })
    func refusal(_ cell: Cell) async throws {
      try Lab.require()
      let name = try await Guests.prepare(cell.format, cell.state)
      try await leavingAsItWas(name) {
        let outcome = try await Lab.imageCreate("--mechanism", cell.mechanism, name, "refused")
        outcome.expect(1, error: "ERROR (SnapshotNotPossible): mechanism '\(cell.mechanism)'")
        #expect(outcome.errors.split(separator: "\n").count == 1)
      }
      if cell.state == .transient { try await Guests.remove(name) }
    }
  }
}

/// A property's value in nova's table.
func property(_ name: String, in table: String) -> String? {
  for line in table.split(separator: "\n") {
    let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    if cells.count == 2, cells[0] == name { return cells[1] }
  }
  return nil
}
