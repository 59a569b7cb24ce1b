/// One disk that an NBD server offers on a unix socket.
public struct NBDExport: Hashable, Sendable, CustomStringConvertible {
  /// The path of the socket: at most 107 bytes, the limit of a unix socket's address.
  public let socketPath: String
  /// The name of the export; empty for the server's default one.
  public let name: String

  /// Names an export; nothing is opened.
  public init(socketPath: String, name: String = "") {
    self.socketPath = socketPath
    self.name = name
  }

  /// The export in messages, for example `NBD export 'vda' at /run/image-create/nbd.sock`.
  public var description: String { "NBD export '\(name)' at \(socketPath)" }
}
