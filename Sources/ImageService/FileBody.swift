import Foundation
import SystemPackage

/// The bytes of a file on the local disk.
public struct FileBody: ImageBody {
  /// The path of the file.
  public let path: String

  /// Names the file; it is opened by ``makeReader()``.
  public init(path: String) { self.path = path }

  /// The length of the file in bytes now; nil if it is not a regular file or cannot be looked at.
  public var byteCount: Int64? {
    let target = URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
    return try? LocalPath.fileSize(target)
  }

  /// What the file takes on its file system now, which is less than its length where it has holes.
  public var dataByteCount: Int64? {
    guard let stat = try? FilePath(path).stat() else { return byteCount }
    return Int64(stat.blocksAllocated) * 512
  }

  /// Opens the file.
  ///
  /// - Throws: Foundation's error if the file cannot be opened.
  public func makeReader() throws -> any ImageBodyReader {
    FileBodyReader(handle: try FileHandle(forReadingFrom: URL(filePath: path)))
  }
}

private final class FileBodyReader: ImageBodyReader {
  private let handle: FileHandle

  init(handle: FileHandle) { self.handle = handle }

  func read(upTo limit: Int) throws -> Data? {
    guard let data = try handle.read(upToCount: limit), !data.isEmpty else { return nil }
    return data
  }

  func close() { try? handle.close() }
}
