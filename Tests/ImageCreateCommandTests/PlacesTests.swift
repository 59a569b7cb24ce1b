import Foundation
import SnapshotCore
import Testing

@testable import ImageCreateCommand

@Suite struct PlacesTests {
  struct Row: Sendable {
    let isRoot: Bool
    let environment: [String: String]
    var spoolDir: String?
    let spool: String
    let state: String
  }

  static let table: [Row] = [
    Row(
      isRoot: true, environment: [:], spool: "/var/lib/image-create/spool",
      state: "/var/lib/image-create/state"),
    Row(
      isRoot: true,
      environment: ["HOME": "/root", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"],
      spool: "/var/lib/image-create/spool", state: "/var/lib/image-create/state"),
    Row(
      isRoot: true, environment: [:], spoolDir: "/big", spool: "/big",
      state: "/var/lib/image-create/state"),
    Row(
      isRoot: false, environment: ["HOME": "/home/ann"],
      spool: "/home/ann/.cache/image-create/spool",
      state: "/home/ann/.local/state/image-create"),
    Row(
      isRoot: false,
      environment: ["HOME": "/home/ann", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"],
      spool: "/c/image-create/spool", state: "/s/image-create"),
    // The XDG specification: what is not absolute is to be ignored.
    Row(
      isRoot: false,
      environment: ["HOME": "/home/ann", "XDG_CACHE_HOME": "c", "XDG_STATE_HOME": ""],
      spool: "/home/ann/.cache/image-create/spool",
      state: "/home/ann/.local/state/image-create"),
    Row(
      isRoot: false, environment: ["HOME": "/home/ann"], spoolDir: "/big", spool: "/big",
      state: "/home/ann/.local/state/image-create"),
  ]

  @Test(arguments: table.indices)
  func `root has the system's folders, others have their own`(_ index: Int) {
    let row = Self.table[index]
    let place = Places(environment: row.environment, isRoot: row.isRoot)
      .workspace(spoolDir: row.spoolDir)
    #expect(place.spoolFolder == row.spool)
    #expect(place.stateFolder == row.state)
  }

  @Test(arguments: [true, false])
  func `journals and locks are in folders of root's, or of the user's`(_ isRoot: Bool) {
    let places = Places(environment: ["HOME": "/home/ann"], isRoot: isRoot)
    let own = isRoot ? "/var/lib/image-create" : "/home/ann/.local/state/image-create"
    #expect(places.journalFolder == own + "/journal")
    #expect(places.lockFolder == own + "/locks")
  }

  @Test func `a relative spool folder is made absolute, since QEMU stands elsewhere`() {
    let place = Places(environment: [:], isRoot: true).workspace(spoolDir: "here")
    #expect(place.spoolFolder == FileManager.default.currentDirectoryPath + "/here")
  }

  @Test func `without HOME the user's own home counts`() {
    let place = Places(environment: [:], isRoot: false).workspace(spoolDir: nil)
    #expect(place.stateFolder == NSHomeDirectory() + "/.local/state/image-create")
  }
}
