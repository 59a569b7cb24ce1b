import Libvirt
import Testing

@testable import SnapshotCore

/// What is not known to be the server's disk, or not to stand still, is not read.
@Suite struct TrustTests {
  private func plan(_ facts: Facts, by mechanism: Mechanism? = nil) throws(SnapshotError) -> Plan {
    try Decision.plan(facts, Request(mechanism: mechanism))
  }

  @Test func `a disk whose files are not proven is taken by a backup alone`() throws {
    let facts = ServerFixture.facts {
      $0.disks["vda"]?.chain = []
      $0.disks["vda"]?.fault = .init(reason: "not ours", remedy: "")
    }
    #expect(try plan(facts).mechanism == .backup)
    for mechanism in Mechanism.allCases where mechanism != .backup {
      let error = #expect(throws: SnapshotError.self) { try plan(facts, by: mechanism) }
      // What is wrong with the disk is said only if nothing else is in the way.
      let isWrongState = mechanism == .offline
      #expect(error?.code == (isWrongState ? .notPossible : .unreadableDisk))
      #expect(isWrongState || error?.reason == "not ours")
    }
  }

  @Test(arguments: Mechanism.allCases)
  func `a disk that another active server has is not taken`(_ mechanism: Mechanism) throws {
    let facts = ServerFixture.facts {
      if mechanism == .offline { $0.state = .shutOff }
      $0.disks["vda"]?.otherServer = "other"
    }
    let error = #expect(throws: SnapshotError.self) { try plan(facts, by: mechanism) }
    #expect(error?.reason.contains("'vda' is also a disk of server 'other'") == true)
  }

  @Test func `a server that was migrated away is not read`() throws {
    let facts = ServerFixture.facts {
      $0.state = .shutOff
      $0.isLeftByMigration = true
    }
    let error = #expect(throws: SnapshotError.self) { try plan(facts) }
    #expect(error?.reason.contains("was migrated to another host") == true)
  }

  @Test func `the plan says what can't be guarded while a disk is read`() throws {
    let file = ServerFixture.facts { $0.state = .shutOff }
    #expect(try plan(file).reason("writers") == nil)
    let shared = ServerFixture.facts {
      $0.state = .shutOff
      $0.disks["vda"]?.networkFileSystem = "nfs"
    }
    #expect(try plan(shared).reason("writers")?.because.contains("(nfs)") == true)
    let device = ServerFixture.facts {
      $0.state = .shutOff
      $0.root = ServerFixture.disk("vda", source: .block("/dev/vg/lv"))
    }
    #expect(try plan(device).reason("writers")?.because.contains("/dev/vg/lv") == true)
    let live = ServerFixture.facts {
      $0.root = ServerFixture.disk("vda", source: .block("/dev/vg/lv"))
    }
    #expect(try plan(live).reason("writers") == nil)
  }
}
