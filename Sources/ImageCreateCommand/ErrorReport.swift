internal import Foundation
internal import ImageService
internal import Libvirt
internal import SnapshotCore

/// Errors as a user sees them: `ERROR (Code): what happened. What to do next`, on one line.
enum ErrorReport {
  static func line(for error: any Error) -> String {
    switch error {
    case let error as SnapshotError:
      line(error.code.rawValue, error.reason, error.remedy)
    case let error as ImageServiceError:
      line(capitalized(error.code.rawValue), error.reason, error.remedy)
    case let error as LibvirtError:
      line(for: SnapshotError(error))
    case let error as OptionError:
      line("OptionNotUsable", "\(error)", "Name a file that you may write to")
    case is CancellationError:
      line("Cancelled", "the snapshot was stopped", "Run it again when ready")
    default:
      line("Unexpected", "\(error)", "Run it again with --verbose and report it")
    }
  }

  static func line(for leftover: UndoStack.Leftover, server: String, uri: String) -> String {
    var remedy = "Do it by hand: `\(leftover.action.command(server: server, uri: uri))`"
    if let error = leftover.error as? SnapshotError, error.code == .diskInUse {
      // The command would take the guest's disk away.
      remedy = error.remedy
    } else if case .attachOnceGone = leftover.action, let error = leftover.error as? SnapshotError {
      // The device is still there.
      remedy = error.remedy
    } else if leftover.action == .thaw {
      // libvirt 9 loses an agent that ends and comes back during a backup job.
      remedy =
        "If the agent runs in the guest, libvirt has lost it: restart libvirtd (guests go on). "
        + remedy
    }
    return line(
      "NotUndone", "could not \(leftover.action.purpose): \(reason(leftover.error))", remedy)
  }

  /// What is left beside a complete image: one line that names both.
  static func line(for leftover: UndoStack.Leftover, beside image: UUID, in store: String)
    -> String
  {
    line(
      leftover.action.concernsServer ? "ServerNotRestored" : "CleanupIncomplete",
      "image \(image.uuidString.lowercased()) is complete in \(store), but could not "
        + leftover.action.purpose, "Do what is printed above")
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case let error as SnapshotError: error.reason
    case let error as ImageServiceError: error.reason
    default: "\(error)"
    }
  }

  private static func line(_ code: String, _ reason: String, _ remedy: String) -> String {
    let text = "ERROR (\(code)): \(trimmed(reason)). \(trimmed(remedy))."
    // Names and other programs' messages are in it: none may steer the terminal.
    return PropertyTable.printable(text.split(whereSeparator: \.isNewline).joined(separator: " "))
  }

  private static func trimmed(_ text: String) -> Substring {
    var text = text[...]
    while text.last == "." || text.last == " " { text.removeLast() }
    return text
  }

  private static func capitalized(_ word: String) -> String {
    word.prefix(1).uppercased() + word.dropFirst()
  }
}
