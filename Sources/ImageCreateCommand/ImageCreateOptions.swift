public import ArgumentParser
public import SnapshotCore

/// The command line of `image-create`, mirroring `nova image-create`.
struct ImageCreateOptions: ParsableArguments {
  @Argument(help: "The server: a libvirt domain's name, UUID or id.")
  var server: String?

  @Argument(help: "The new image's name.")
  var name: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Record a property on the image; may be given several times and wins over what the server "
        + "says.", valueName: "key=value"))
  var metadata: [MetadataPair] = []

  @Flag(name: .long, help: "Print the image's properties when it is active.")
  var show = false

  @Flag(name: .long, help: "Report progress until the image is active.")
  var poll = false

  @Option(
    name: [.customShort("c"), .long],
    help: ArgumentHelp(
      "The libvirt daemon (default: LIBVIRT_DEFAULT_URI, else qemu:///system).", valueName: "uri"))
  var connect: String?

  @Flag(name: .long, help: "Take the snapshot while the guest runs, or not at all.")
  var live = false

  @Flag(name: .long, help: "Save the guest, read its disk and start it again before the upload.")
  var cold = false

  @Option(name: .long, help: "Use this mechanism and no other.")
  var mechanism: Mechanism?

  @Option(name: .long, help: "Freeze the guest's file systems around the point in time.")
  var quiesce = Request.QuiesceWish.auto

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Take this disk, for example vdb; root is the root disk.", valueName: "target"))
  var disk: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The image's format (default: the disk's own).", valueName: "format"))
  var diskFormat: ImageFormat?

  @Option(
    name: .long,
    help: ArgumentHelp("The memory in MiB that a server needs for the image.", valueName: "MiB"))
  var minRam = 0

  @Option(name: .long, help: "Where the image goes (default: glance if OS_* variables are set).")
  var to: Destination?

  @Option(
    name: .long,
    help: ArgumentHelp("The local image folder.", valueName: "folder"))
  var imageDir: String?

  @Option(
    name: .long,
    help: ArgumentHelp("Write the image to one file, which must not exist.", valueName: "file"))
  var output: String?

  @Flag(
    name: .long,
    help: "Send the image while the disk is read, even if the guest is down until then.")
  var stream = false

  @Flag(
    name: .long, help: "Write the image to the spool directory first, even if it could be streamed."
  )
  var spool = false

  @Flag(name: .long, help: "Compress the image, which is then qcow2 and spooled.")
  var compress = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Directory for temporary files; QEMU's user must be able to enter it.",
      valueName: "folder"))
  var spoolDir: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Number of upload retries.",
      valueName: "count"))
  var retries = 4

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Longest wait for an image service that is away, or that completes an image, after the "
        + "upload (default: 10m, plus 1m per 300 MB for the second; at most 60s before the upload).",
      valueName: "time"))
  var uploadPatience: TimeLimit?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Longest time in which the image service takes no byte of an upload (default: 2m).",
      valueName: "time"))
  var stallTimeout: TimeLimit?

  @Flag(
    name: .long,
    help: "Wait while another snapshot of the server, or too many of them, are running.")
  var wait = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Run at most this many snapshots at a time on this host.",
      valueName: "count"))
  var maxConcurrent: Int?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Give up and undo everything after this time: seconds, or with s, m or h.",
      valueName: "time"))
  var timeout: TimeLimit?

  @Flag(
    name: .long,
    help: "Clean up after killed runs, of one server or of all; take no snapshot.")
  var recover = false

  @Flag(
    name: .long,
    help: "Check everything that a run checks, print the plan with its reasons, and touch nothing.")
  var dryRun = false

  @Flag(name: .shortAndLong, help: "Print what is done and why on stderr.")
  var verbose = false

  @Flag(name: .shortAndLong, help: "Print errors only, no warnings and notices.")
  var quiet = false

  @Option(
    name: .long,
    help: ArgumentHelp("Append the same to a file.", valueName: "file"))
  var logFile: String?

  func validate() throws {
    if recover {
      if let name { throw ValidationError("--recover takes a server at most, not '\(name)'") }
    } else {
      guard server != nil else { throw ValidationError("Missing expected argument '<server>'") }
      guard name != nil else { throw ValidationError("Missing expected argument '<name>'") }
    }
    if quiet && verbose {
      throw ValidationError("--quiet and --verbose are mutually exclusive")
    }
    if live && cold { throw ValidationError("--live and --cold are mutually exclusive") }
    if stream && spool { throw ValidationError("--stream and --spool are mutually exclusive") }
    if stream && compress {
      throw ValidationError(
        "--stream cannot be combined with --compress: a compressed image is spooled")
    }
    if retries < 0 { throw ValidationError("--retries is a count, not \(retries)") }
    if minRam < 0 { throw ValidationError("--min-ram is a number of MiB, not \(minRam)") }
    if output != nil, to != nil || imageDir != nil {
      throw ValidationError("--output cannot be combined with --to or --image-dir")
    }
    if to == .glance, imageDir != nil {
      throw ValidationError("--image-dir cannot be combined with --to glance")
    }
    for (flag, path) in [
      ("--output", output), ("--image-dir", imageDir), ("--spool-dir", spoolDir),
      ("--log-file", logFile),
    ] where path?.isEmpty == true { throw ValidationError("\(flag) needs a path") }
    if let maxConcurrent, maxConcurrent < 1 {
      throw ValidationError("--max-concurrent is at least 1, not \(maxConcurrent)")
    }
    if server?.isEmpty == true { throw ValidationError("the server's name is empty") }
  }

  var request: Request {
    Request(
      mode: live ? .live : cold ? .cold : .automatic, mechanism: mechanism, quiesce: quiesce,
      disk: disk, format: diskFormat, delivery: stream ? .stream : spool ? .spool : nil,
      compresses: compress)
  }
}

/// Where the image goes.
enum Destination: String, ExpressibleByArgument, CaseIterable {
  case glance
  case folder
}

/// A time to wait, as typed.
struct TimeLimit: ExpressibleByArgument, Equatable {
  /// What was typed, with its unit.
  let text: String
  let duration: Duration

  /// `90`, `90s`, `15m` or `2h`; more than nothing.
  init?(argument: String) {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
    let unit = argument.last.flatMap { units[$0] }
    let digits = unit == nil ? argument[...] : argument.dropLast()
    guard let count = Int(digits), count > 0, count <= 1_000_000_000 else { return nil }
    text = unit == nil ? "\(count)s" : argument
    duration = .seconds(count * (unit ?? 1))
  }
}

/// One `--metadata key=value`.
struct MetadataPair: ExpressibleByArgument, Equatable {
  let key: String
  let value: String

  /// Nova's form: the first `=` separates, the value may hold more and may be empty.
  init?(argument: String) {
    guard let separator = argument.firstIndex(of: "="), separator != argument.startIndex else {
      return nil
    }
    key = String(argument[..<separator])
    value = String(argument[argument.index(after: separator)...])
  }
}

extension Mechanism: ExpressibleByArgument {}
extension Request.QuiesceWish: ExpressibleByArgument {}
extension ImageFormat: ExpressibleByArgument {
  /// The format with Glance's name.
  public init?(argument: String) { self.init(name: argument) }

  /// Every format's name, for help and completion.
  public static var allValueStrings: [String] { all.map(\.name) }
}
