internal import Foundation
internal import ImageService
internal import Libvirt
internal import Logging
internal import SnapshotCore

/// Everything that a run checks once it has found the server and before it touches anything: a run
/// is this and then the deed, `--dry-run` is this alone.
struct Rehearsal {
  let options: ImageCreateOptions
  let target: StoreChoice.Target
  let places: Places
  let log: Logger

  /// What was found; a run goes on with it.
  struct Result {
    let facts: Facts
    let plan: Plan
    let image: ImageDescription
    let sink: StoreSink
    let snapshot: Snapshot
    /// How many bytes of data there are to read, about.
    let readSize: UInt64
    /// What was checked, and what came of it, for the report.
    let checks: [(topic: String, outcome: String)]
  }

  /// - Parameter progress: what the snapshot reports to.
  /// - Throws: the first thing that speaks against a run.
  func run(_ domain: Domain, progress: @escaping @Sendable (Snapshot.Progress) -> Void)
    async throws -> Result
  {
    // The image service is asked while the server is looked at: neither touches anything.
    let access = Task { try await target.store.checkAccess() }
    defer { access.cancel() }
    let place = places.workspace(spoolDir: options.spoolDir)
    let facts = try await FactsReader(spoolFolder: place.spoolFolder).read(
      domain, disk: options.request.disk)
    let plan = try Decision.plan(facts, options.request)
    for reason in plan.reasons {
      log.info("\(reason.topic): \(reason.choice) (\(reason.because))")
    }
    var image = try description(facts, plan)
    let sink = StoreSink(store: target.store, minRAM: options.minRam)
    let snapshot = Snapshot(
      domain: domain, facts: facts, plan: plan, sink: sink, place: place,
      retries: options.retries, labels: ["image_create:version": ImageCreate.version], log: log,
      progress: progress)
    let readSize = try await snapshot.checkSpool()
    try Journal.check(in: places.journalFolder)
    let requester = try await withTaskCancellationHandler {
      try await access.value
    } onCancel: {
      access.cancel()
    }
    if let requester {
      image.properties["user_id"] = image.properties["user_id"] ?? requester.userID
      image.properties["owner_id"] = image.properties["owner_id"] ?? requester.projectID
    }
    let quota = try await checkQuota(plan, readSize: readSize, isRemote: requester != nil)
    if let notice = Self.leftOutNotice(plan) { log.warning("\(notice)") }
    return Result(
      facts: facts, plan: plan, image: image, sink: sink, snapshot: snapshot, readSize: readSize,
      checks: [
        ("lock", "no other run holds the server"),
        ("name and metadata", "allowed"),
        ("temporary files", "\(place.spoolFolder) can be used and has room"),
        (
          "sign-in",
          requester.map { "user \($0.userID), project \($0.projectID)" } ?? "not needed"
        ),
        ("quota", quota),
      ])
  }

  /// - Returns: what was compared.
  private func checkQuota(_ plan: Plan, readSize: UInt64, isRemote: Bool) async throws -> String {
    // Compressed images are smaller, nobody knows by how much.
    if plan.compresses { return "not checked: a compressed image's size is not known before" }
    // A raw image has holes on this host and none in an image service.
    let isWhole = plan.format == .raw && isRemote
    let bytes = Int64(clamping: isWhole ? plan.virtualSize : readSize)
    try await target.store.checkQuota(expectedBytes: bytes)
    return "\(bytes) bytes fit the quota"
  }

  /// Names the writable disks that are not taken; nil if the user named the one that is.
  static func leftOutNotice(_ plan: Plan) -> String? {
    guard !plan.leftOut.isEmpty else { return nil }
    let isOne = plan.leftOut.count == 1
    return "\(isOne ? "disk" : "disks") \(plan.leftOut.joined(separator: ", ")) "
      + "\(isOne ? "is" : "are") not in the image, only \(plan.disk.target) is (name a disk with "
      + "--disk; --disk root silences this)"
  }

  /// What the image will be, within the image service's rules.
  private func description(_ facts: Facts, _ plan: Plan) throws -> ImageDescription {
    var properties = ServerProperties.of(facts, disk: plan.disk)
    // Nova cuts what it inherits; what the user typed is refused instead when it is too long.
    properties = properties.mapValues { String($0.prefix(255)) }
    let metadata = options.metadata.map { ($0.key, $0.value) }
    let image = ImageDescription(
      id: UUID(), name: options.name ?? "", diskFormat: plan.format.name,
      minDisk: ServerProperties.minDisk(virtualSize: plan.virtualSize),
      properties: properties.merging(metadata) { _, typed in typed })
    try target.store.validate(NewImage(image, minRAM: options.minRam))
    return image
  }
}
