internal import Foundation
internal import FoundationXML

/// Reads libvirt's domain capabilities.
///
/// They are those of the emulator that is installed now: a guest that was started before an upgrade
/// runs an older one, which shows only when a job begins.
enum DomainCapabilities {
  /// Whether backup jobs are possible (`<backup supported='yes'/>`, since libvirt 6.0); nil if the
  /// text does not say.
  static func hasBackupJobs(_ text: String) -> Bool? {
    let reader = Reader()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = reader
    guard parser.parse() else { return nil }
    return reader.hasBackupJobs
  }

  private final class Reader: NSObject, XMLParserDelegate {
    var hasBackupJobs: Bool?
    private var path: [String] = []

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
      qualifiedName: String?, attributes: [String: String]
    ) {
      path.append(name)
      guard path == ["domainCapabilities", "features", "backup"] else { return }
      hasBackupJobs = attributes["supported"].map { $0 == "yes" }
    }

    func parser(
      _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
      qualifiedName: String?
    ) {
      _ = path.popLast()
    }
  }
}
