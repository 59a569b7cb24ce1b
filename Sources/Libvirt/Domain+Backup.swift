internal import CLibvirt
internal import Glibc

extension Domain {
  /// Begins a backup job (`virDomainBackupBegin`): in pull mode its disks stay readable over NBD, as
  /// they were at this instant, until the job is aborted.
  ///
  /// - Parameter xml: a `<domainbackup>` that names every disk, scratch file and the socket.
  public func beginBackup(xml: String) async throws(LibvirtError) {
    connection.noteBackupBegin(1)
    try await call("virDomainBackupBegin") { [connection] in
      defer { connection.noteBackupBegin(-1) }
      return unsafe virDomainBackupBegin($0, xml, nil, 0)
    }
  }

  /// Whether a backup job is just beginning or ending, which libvirt answers with an error of its own
  /// (`virDomainGetJobInfo`).
  public func isChangingJobs() async throws(LibvirtError) -> Bool {
    do {
      try await call("virDomainGetJobInfo") { domain in
        var info = virDomainJobInfo()
        return unsafe virDomainGetJobInfo(domain, &info)
      }
      return false
    } catch {
      switch error.code {
      case .internalError: return true
      case .noSupport, .operationInvalid: return false
      default: throw error
      }
    }
  }

  /// The backup job under way (`virDomainBackupGetXMLDesc`); nil when there is none.
  public func backupXML() async throws(LibvirtError) -> String? {
    do {
      return try await value("virDomainBackupGetXMLDesc") { domain in
        guard let text = unsafe virDomainBackupGetXMLDesc(domain, 0) else { return nil }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
      }
    } catch {
      guard error.code == .noDomainBackup || error.code == .operationInvalid else { throw error }
      return nil
    }
  }
}
