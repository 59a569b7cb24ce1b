import Libvirt
import Testing

@testable import SnapshotCore

/// What must be free before a run begins.
@Suite struct SpaceCheckTests {
  private static let mebibyte: UInt64 = 1 << 20

  /// A situation, what is asked for, and the bytes needed in the spool folder and for the memory.
  static let table: [(Situation, Request, spool: UInt64?, memory: UInt64?)] = [
    (.running, Request(mechanism: .backup), 64 << 20, nil),
    (.running, Request(mechanism: .backup, delivery: .spool), 3136 << 20, nil),
    (.rbd, Request(mechanism: .backup), 64 << 20, nil),
    (.rbd, Request(mechanism: .backup, delivery: .spool), 3136 << 20, nil),
    (.running, Request(mechanism: .copy), 1 << 20, nil),
    (.running, Request(mechanism: .copy, delivery: .spool), 3073 << 20, nil),
    (.running, Request(mode: .cold, delivery: .stream), nil, 2 << 30),
    (.running, Request(mode: .cold), 3072 << 20, 2 << 30),
    (.clonable, Request(mode: .cold), 3072 << 20, 2 << 30),
    (.shutOff, Request(), nil, nil),
    (.shutOff, Request(delivery: .spool), 3072 << 20, nil),
  ]

  @Test(arguments: table)
  func `each way needs what it must write`(
    _ situation: Situation, _ request: Request, spool: UInt64?, memory: UInt64?
  ) throws {
    var facts = situation.facts
    facts.domain.memory = 2 << 30
    let check = SpaceCheck(
      facts: facts, plan: try Decision.plan(facts, request),
      place: .init(spoolFolder: "/spool", stateFolder: "/state"), qemuImg: QemuImg())
    let needs = check.needs(data: 3 << 30, saveFolder: "/save")
    #expect(needs.first { $0.folder == "/spool" }?.bytes == spool)
    #expect(needs.first { $0.folder == "/save" }?.bytes == memory)
    #expect(needs.count == [spool, memory].compactMap { $0 }.count)
  }

  @Test func `a network disk counts its size, and so does one whose files are not opened`()
    async throws
  {
    for situation in [Situation.rbd, .unreadable] {
      let facts = situation.facts
      let check = SpaceCheck(
        facts: facts, plan: try Decision.plan(facts, Request(delivery: .spool)),
        place: .init(spoolFolder: "/nosuch/spool", stateFolder: "/nosuch/state"),
        qemuImg: QemuImg())
      #expect(check.plan.mechanism == .backup)
      #expect(try await check.run() == 5 << 30)
    }
  }

  @Test func `a spool folder without the room is refused with both numbers`() async throws {
    let facts = Situation.rbd.facts
    var plan = try Decision.plan(facts, Request(delivery: .spool))
    plan.virtualSize = 1 << 60
    let check = SpaceCheck(
      facts: facts, plan: plan,
      place: .init(spoolFolder: "/nosuch/spool", stateFolder: "/nosuch/state"), qemuImg: QemuImg())
    let error = await #expect(throws: SnapshotError.self) { try await check.run() }
    #expect(error?.code == .noSpace)
    #expect(error?.reason.contains("and 1152921504674000000 are needed") == false)
    #expect(error?.reason.contains("and \((1 << 60) + (64 << 20)) are needed") == true)
  }

  /// A URI, whether root asks, and the folder.
  static let folders: [(String, Bool, String?)] = [
    ("qemu:///system", true, "/var/lib/libvirt/qemu/save"),
    ("qemu:///system", false, "/var/lib/libvirt/qemu/save"),
    ("qemu:///session", true, "/var/lib/libvirt/qemu/save"),
    ("qemu:///session", false, "/home/ann/.config/libvirt/qemu/save"),
    ("qemu+unix:///session?socket=/run/x", false, "/home/ann/.config/libvirt/qemu/save"),
    ("qemu:///embed?root=/x", true, nil),
  ]

  @Test(arguments: folders)
  func `a guest's memory goes to its daemon's folder`(_ uri: String, isRoot: Bool, folder: String?)
  {
    let facts = ServerFixture.facts { $0.uri = uri }
    #expect(
      SaveFolder.path(of: facts, isRoot: isRoot, environment: ["HOME": "/home/ann"]) == folder)
  }

  @Test func `the session's folder follows XDG_CONFIG_HOME`() {
    let facts = ServerFixture.facts { $0.uri = "qemu:///session" }
    let environment = ["HOME": "/home/ann", "XDG_CONFIG_HOME": "/c"]
    #expect(
      SaveFolder.path(of: facts, isRoot: false, environment: environment)
        == "/c/libvirt/qemu/save")
    #expect(
      SaveFolder.path(
        of: ServerFixture.facts { $0.hypervisor = "LXC" }, isRoot: true, environment: environment)
        == nil)
  }
}
