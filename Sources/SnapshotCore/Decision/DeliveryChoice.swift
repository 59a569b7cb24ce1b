/// Decides how the bytes get to the image service, and what that means for the guest.
struct DeliveryChoice {
  let request: Request
  let mechanism: Mechanism
  let format: ImageFormat
  /// Whether the disk's own file can be cloned into the spool folder.
  let isClonable: Bool

  func delivery() throws(SnapshotError) -> (Plan.Delivery, String) {
    let file = "qemu-img convert writes one flat file, which is then sent"
    let obstacle: String? =
      if request.compresses {
        "a compressed image can't be streamed"
      } else if format.streamed == nil {
        "\(format) can't be streamed"
      } else {
        nil
      }
    switch request.delivery {
    case .spool: return (.spool, "--spool was given: \(file)")
    case .stream:
      guard let obstacle else {
        return (.stream, "--stream was given: the image is made while the disk is read and sent")
      }
      throw SnapshotError(
        .notPossible, "the image can't be streamed: \(obstacle)",
        remedy: "Omit --stream: the image is then written to the spool folder first")
    case nil: break
    }
    if let obstacle { return (.spool, "\(obstacle): \(file)") }
    if mechanism == .managedSave, !isClonable {
      return (
        .spool, "the server starts again as soon as its disk is read: \(file)"
      )
    }
    return (.stream, "the image is made while the disk is read and sent, without a file")
  }

  func downtime(_ delivery: Plan.Delivery) -> (Plan.Downtime, String) {
    switch mechanism {
    case .backup:
      return (.none, "the guest goes on while its disk is read as it was at the beginning")
    case .copy, .rebase: return (.none, "the guest goes on while its disk is mirrored")
    case .offline: return (.none, "nothing runs and nothing is started")
    case .managedSave: break
    }
    guard !isClonable else {
      return (
        .untilCloned,
        "the spool folder is on the disk's own file system, which has reflinks: the guest is saved "
          + "and starts again at once"
      )
    }
    return switch delivery {
    case .stream: (.untilSent, "the guest is saved, and starts again after the upload (--stream)")
    case .spool:
      (.untilRead, "the guest is saved, its disk converted, and it starts again before the upload")
    }
  }
}
