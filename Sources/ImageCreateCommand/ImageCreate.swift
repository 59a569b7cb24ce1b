internal import ArgumentParser

/// Help, version and completions around the options.
struct ImageCreate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image-create",
    abstract: "Turn a libvirt server into an image, as `nova image-create` does.",
    usage: """
      image-create [<options>] <server> <name>
      image-create --recover [--dry-run] [<server>]
      """,
    discussion: """
      The server may run, be paused, saved or shut off; it is put back exactly as it was. With \
      OS_* variables set the image goes to Glance, otherwise to the local image folder.

      EXAMPLES:
        image-create fed18 snap1 --poll
            take a live snapshot of fed18 and follow it
        image-create --dry-run fed18 snap1
            check everything, print what would be done and why, and touch nothing
        image-create --cold --metadata release=18 --show fed18 snap1
            save the guest, read its disk, start it again, then upload
        image-create --output /srv/fed18.qcow2 fed18 snap1
            write one file and upload nothing
        image-create --recover
            undo what runs that were killed have left

      EXIT STATUS:
      \(exitStatus)
        Any other status is a failure, too.
      """,
    version: "image-create \(version)")

  /// The version, also recorded on images.
  static let version = "0.1.0"

  @OptionGroup var options: ImageCreateOptions

  private static var exitStatus: String {
    ExitStatus.table.map { number, meaning in "  \(number)  \(meaning)" }.joined(separator: "\n")
  }
}
