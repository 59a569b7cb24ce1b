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
            say what would be done and why
        image-create --cold --metadata release=18 --show fed18 snap1
            save the guest, read its disk, start it again, then upload
        image-create --output /srv/fed18.qcow2 fed18 snap1
            write one file and upload nothing
        image-create --recover
            undo what runs that were killed have left

      EXIT STATUS:
        0 done, 1 failed, 2 wrong usage, 129, 130 or 143 stopped by SIGHUP, SIGINT or SIGTERM.
      """,
    version: "image-create 0.1.0")

  @OptionGroup var options: ImageCreateOptions
}
