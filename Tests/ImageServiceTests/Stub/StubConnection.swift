import FlyingSocks
import Foundation

/// One connection of the stub: reads one request piece by piece.
final class StubConnection {
  private let socket: AsyncSocket
  private var buffer: [UInt8] = []
  private(set) var request = SeenRequest()

  init(_ socket: AsyncSocket) { self.socket = socket }

  func readHead() async throws -> SeenRequest {
    let lines = try await readText(upTo: "\r\n\r\n").components(separatedBy: "\r\n")
    let first = lines[0].split(separator: " ").map(String.init)
    request.method = first[0]
    request.path = first[1]
    for line in lines.dropFirst() {
      let pair = line.split(separator: ":", maxSplits: 1).map(String.init)
      request.headers[pair[0].lowercased()] =
        pair.count > 1 ? pair[1].trimmingCharacters(in: .whitespaces) : ""
    }
    return request
  }

  func continueIfAsked() async throws {
    if request.headers["expect"] == "100-continue" {
      try await write("HTTP/1.1 100 Continue\r\n\r\n")
    }
  }

  /// Reads the body, or its first bytes. A connection that ends too early ends the reading, and
  /// the request stays incomplete.
  func readBody(upTo limit: Int = .max) async throws {
    do {
      if request.headers["transfer-encoding"] == "chunked" {
        try await readChunks(upTo: limit)
      } else {
        let length = Int(request.headers["content-length"] ?? "0") ?? 0
        request.body.append(contentsOf: try await read(min(length, limit)))
        request.isComplete = request.body.count == length
      }
    } catch is SocketError {
      return
    }
  }

  private func readChunks(upTo limit: Int) async throws {
    while request.body.count < limit {
      let line = try await readText(upTo: "\r\n")
      guard let length = Int(line, radix: 16) else { throw SocketError.disconnected }
      request.body.append(contentsOf: try await read(length))
      _ = try await read(2)
      if length == 0 {
        request.isComplete = true
        return
      }
    }
  }

  func answer(_ status: Int, _ headers: [String: String], _ body: String) async throws {
    var text = "HTTP/1.1 \(status) Whatever\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if status != 204 { text += "Content-Length: \(body.utf8.count)\r\n" }
    try await write(text + "Connection: close\r\n\r\n" + body)
  }

  func flood(_ count: Int) async throws {
    try await write(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(count)\r\n\r\n\"")
    let block = String(repeating: "x", count: 1 << 20)
    var left = count - 1
    while left > 0 {
      try await write(String(block.prefix(left)))
      left -= block.utf8.count
    }
  }

  /// Ends with the error of a client that closed, or after far longer than any test waits for.
  func writeEndlessly(_ start: String, _ again: String, _ pause: Duration) async throws {
    try await write(start)
    let end = ContinuousClock.now + .seconds(3)
    while ContinuousClock.now < end {
      try await write(again)
      try await Task.sleep(for: pause)
    }
  }

  func write(_ text: String) async throws { try await write(Data(text.utf8)) }

  func write(_ bytes: Data) async throws { try await socket.write(bytes) }

  func waitForClose() async {
    while (try? await socket.read(atMost: 4096)) != nil {}
  }

  private func read(_ count: Int) async throws -> [UInt8] {
    while buffer.count < count { buffer += try await socket.read(atMost: 65536) }
    defer { buffer.removeFirst(count) }
    return Array(buffer.prefix(count))
  }

  private func readText(upTo end: String) async throws -> String {
    let end = Array(end.utf8)
    while true {
      if let range = buffer.firstRange(of: end) {
        defer { buffer.removeFirst(range.upperBound) }
        return String(decoding: buffer[..<range.lowerBound], as: UTF8.self)
      }
      buffer += try await socket.read(atMost: 4096)
    }
  }
}
