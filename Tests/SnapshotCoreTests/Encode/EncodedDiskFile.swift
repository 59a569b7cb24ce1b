import Foundation

@testable import SnapshotCore

extension EncodedDisk {
  /// Reads the image to its end into a file; blocks of zeros become holes.
  ///
  /// - Returns: the number of bytes.
  @discardableResult
  func write(to path: String, upTo limit: Int = 1 << 20) throws -> Int64 {
    try Data().write(to: URL(filePath: path))
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    let reader = try makeReader()
    defer { reader.close() }
    var total: UInt64 = 0
    while let piece = try reader.read(upTo: limit) {
      guard !piece.isEmpty, piece.count <= limit else { throw WrongPiece(count: piece.count) }
      if piece != Data(count: piece.count) {
        try file.seek(toOffset: total)
        try file.write(contentsOf: piece)
      }
      total += UInt64(piece.count)
    }
    try file.truncate(atOffset: total)
    try file.close()
    return Int64(total)
  }

  struct WrongPiece: Error {
    let count: Int
  }
}
