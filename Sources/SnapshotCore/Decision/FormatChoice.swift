/// Decides the image's format.
struct FormatChoice {
  let facts: Facts
  let request: Request
  let disk: DiskDescription

  /// - Returns: the format, and why.
  /// - Throws: `badFormat`.
  func format() throws(SnapshotError) -> (ImageFormat, String) {
    if let format = request.format {
      guard format == .qcow2 || !request.compresses else {
        throw SnapshotError(
          .badFormat, "a \(format) image cannot be compressed",
          remedy: "Omit --compress, or use `--disk-format qcow2`")
      }
      return (format, "asked for with --disk-format")
    }
    if request.compresses { return (.qcow2, "--compress was given") }
    guard let format = ImageFormat(driver: disk.format) else {
      return (.qcow2, "no image can have the disk's own format \(disk.format)")
    }
    let because = "the disk's own format by the domain XML"
    return (format, format == .raw ? because + rawCost : because)
  }

  /// A raw image has no holes on its way: what a disk of 500 GiB with 5 GiB of data costs.
  private var rawCost: String {
    guard let size = facts.disks[disk.target]?.virtualSize, size > 0 else { return "" }
    return "; its full length of \(size) bytes is sent (`--disk-format qcow2` leaves zeros out)"
  }
}
