import SnapshotCore
import Synchronization
import Testing

@testable import ImageCreateCommand

@Suite struct ProgressPrinterTests {
  private final class Paper: Sendable {
    private let written = Mutex("")
    var text: String { written.withLock { $0 } }
    func write(_ text: String, _ kind: OutputQueue.Kind) { written.withLock { $0 += text } }
  }

  private func printed(isTerminal: Bool, _ use: (ProgressPrinter) -> Void) -> String {
    let paper = Paper()
    use(ProgressPrinter(isOn: true, isTerminal: isTerminal, write: paper.write))
    return paper.text
  }

  private func at(_ fraction: Double, _ done: Int64? = nil) -> Snapshot.Progress {
    let bytes = done.map { Snapshot.Progress.Bytes(done: $0, total: 541_000_000) }
    return Snapshot.Progress(phase: .uploading, fraction: fraction, bytes: bytes)
  }

  private func line(_ percent: Int) -> String { "Server snapshotting... \(percent)% complete" }

  @Test func `without --poll nothing is printed`() {
    let printer = ProgressPrinter(isOn: false, isTerminal: true) { text, _ in
      Issue.record("'\(text)' was printed")
    }
    printer.start()
    printer.report(at(0.5))
    printer.finish()
    printer.fail()
  }

  @Test func `on a terminal one line is written over and over`() {
    let text = printed(isTerminal: true) {
      $0.start()
      for fraction in [0.001, 0.015, 0.5, 0.5625, 0.999] { $0.report(at(fraction)) }
      $0.finish()
    }
    #expect(
      text == "\n\r"
        + [0, 1, 50, 56, 99, 100].map { line($0) + "\u{1B}[K" }.joined(separator: "\r")
        + "\nFinished\n")
  }

  @Test func `elsewhere there is one line for each tenth`() {
    let text = printed(isTerminal: false) {
      $0.start()
      for percent in 0...100 { $0.report(at(Double(percent) / 100)) }
      $0.finish()
    }
    #expect(
      text == "\n"
        + [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map { line($0) + "\n" }.joined()
        + "Finished\n")
  }

  @Test func `elsewhere a leap leaves tenths out`() {
    let text = printed(isTerminal: false) {
      $0.start()
      $0.report(at(0.57))
      $0.finish()
    }
    #expect(text == "\n\(line(0))\n\(line(50))\n\(line(100))\nFinished\n")
  }

  @Test func `a phase that moves bytes says how many`() {
    let text = printed(isTerminal: false) {
      $0.start()
      $0.report(at(0.25, 135_000_000))
    }
    #expect(text == "\n\(line(0))\n\(line(20)), 135 of 541 MB\n")
  }

  @Test func `a fraction of nothing is no fraction`() {
    let text = printed(isTerminal: false) {
      $0.start()
      $0.report(at(.nan))
      $0.report(at(.infinity))
    }
    #expect(text == "\n\(line(0))\n\(line(90))\n")
  }

  @Test(arguments: [true, false])
  func `a failure says so and does not say 100 percent`(_ isTerminal: Bool) {
    let text = printed(isTerminal: isTerminal) {
      $0.start()
      $0.report(at(1))
      $0.fail()
    }
    #expect(text.hasSuffix("\nError snapshotting server\n"))
    #expect(!text.contains("100%"))
    #expect(!text.contains("Finished"))
  }

  @Test(arguments: [true, false])
  func `nothing goes back, repeats or leaves 0 to 100`(_ isTerminal: Bool) {
    let text = printed(isTerminal: isTerminal) {
      $0.start()
      for fraction in [0.5, 0.2, -1, 0.5, 7, 0.99, 0] { $0.report(at(fraction)) }
      $0.finish()
      $0.report(at(0.3))
    }
    let numbers = self.numbers(text)
    #expect(numbers == (isTerminal ? [0, 50, 99, 100] : [0, 50, 90, 100]))
  }

  @Test(arguments: [true, false])
  func `late reports from many tasks do not make it go back`(_ isTerminal: Bool) async {
    let paper = Paper()
    let printer = ProgressPrinter(isOn: true, isTerminal: isTerminal, write: paper.write)
    printer.start()
    await withTaskGroup { group in
      for step in (0..<400).shuffled() {
        group.addTask { printer.report(at(Double(step) / 400)) }
      }
    }
    printer.finish()
    let numbers = self.numbers(paper.text)
    #expect(numbers == numbers.sorted())
    #expect(Set(numbers).count == numbers.count)
    #expect(numbers.first == 0)
    #expect(numbers.last == 100)
  }

  private func numbers(_ text: String) -> [Int] {
    text.split(separator: "%").compactMap { part in
      part.split(separator: " ").last.flatMap { Int($0) }
    }
  }
}
