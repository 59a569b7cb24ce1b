import Foundation
import SystemPackage
import Testing

@testable import ImageCreateCommand

@Suite struct OutputQueueTests {
  /// A pipe whose reader sleeps, and a queue whose thread is blocked by it.
  private struct Sleeper {
    let queue: OutputQueue
    let reader: FileDescriptor
    let writer: FileDescriptor
    /// What blocks it.
    private let plug = String(repeating: ".", count: 1 << 20)

    init() throws {
      queue = OutputQueue(limits: .init(messages: 1000, results: 2 << 20)) { "\($0) lost" }
      (reader, writer) = try FileDescriptor.pipe()
      queue.write(plug, .result, to: writer)
    }

    /// Reads everything up to the queue's end.
    func read() async throws -> String {
      let (queue, reader, writer) = (queue, reader, writer)
      let text = Task.detached {
        try FileHandle(fileDescriptor: reader.rawValue, closeOnDealloc: true).readToEnd()
      }
      await queue.drained()
      try writer.close()
      return String(decoding: try await text.value ?? Data(), as: UTF8.self)
        .trimmingCharacters(in: ["."])
    }
  }

  /// A queue that is blocked and otherwise empty.
  private func sleeper() async throws -> Sleeper {
    let sleeper = try Sleeper()
    // Its thread has taken the plug, which is more than a pipe holds.
    while sleeper.queue.waitingBytes > 0 { await Task.yield() }
    return sleeper
  }

  @Test func `texts are written in the order in which they came`() async throws {
    let sleeper = try await sleeper()
    for number in 0..<10 {
      sleeper.queue.write("\(number) ", number % 2 == 0 ? .message : .result, to: sleeper.writer)
    }
    #expect(!sleeper.queue.isIdle)
    #expect(try await sleeper.read() == "0 1 2 3 4 5 6 7 8 9 ")
    #expect(sleeper.queue.isIdle)
  }

  @Test func `a terminal's progress is replaced by the newest, and by nothing else`() async throws {
    let sleeper = try await sleeper()
    for text in ["1%", "2%", "3%"] {
      sleeper.queue.write(text, .progress(isReplaced: true), to: sleeper.writer)
    }
    sleeper.queue.write(" warning ", .message, to: sleeper.writer)
    for text in ["4%", "5%"] {
      sleeper.queue.write(text, .progress(isReplaced: true), to: sleeper.writer)
    }
    #expect(try await sleeper.read() == "3% warning 5%")
  }

  @Test func `progress elsewhere is kept as long as there is room`() async throws {
    let sleeper = try await sleeper()
    for text in ["10%\n", "20%\n"] {
      sleeper.queue.write(text, .progress(isReplaced: false), to: sleeper.writer)
    }
    #expect(try await sleeper.read() == "10%\n20%\n")
  }

  @Test func `what does not fit is progress first, then messages, which are counted`()
    async throws
  {
    let sleeper = try await sleeper()
    let message = String(repeating: "m", count: 299) + "\n"
    sleeper.queue.write("10%\n", .progress(isReplaced: false), to: sleeper.writer)
    for _ in 0..<3 { sleeper.queue.write(message, .message, to: sleeper.writer) }
    sleeper.queue.write(
      String(repeating: "%", count: 200), .progress(isReplaced: false), to: sleeper.writer)
    for _ in 0..<5 { sleeper.queue.write(message, .message, to: sleeper.writer) }
    sleeper.queue.write("result\n", .result, to: sleeper.writer)
    let text = try await sleeper.read()
    #expect(text == message + message + message + "5 lost\nresult\n")
  }

  @Test func `a reader that went away is no reason to wait`() async throws {
    signal(SIGPIPE, SIG_IGN)
    let sleeper = try await sleeper()
    sleeper.queue.write("more", .result, to: sleeper.writer)
    try sleeper.reader.close()
    await sleeper.queue.drained()
    #expect(sleeper.queue.isIdle)
    try sleeper.writer.close()
  }

  @Test func `a pipe that another program made nonblocking loses nothing`() async throws {
    let (reader, writer) = try FileDescriptor.pipe()
    #expect(fcntl(writer.rawValue, F_SETFL, O_NONBLOCK) == 0)
    let queue = OutputQueue { "\($0) lost" }
    let text = String(repeating: "0123456789", count: 50_000)
    queue.write(text, .result, to: writer)
    let read = Task.detached {
      try FileHandle(fileDescriptor: reader.rawValue, closeOnDealloc: true).readToEnd()
    }
    await queue.drained()
    try writer.close()
    #expect(try await read.value == Data(text.utf8))
  }
}
