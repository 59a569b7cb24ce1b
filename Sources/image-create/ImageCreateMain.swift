internal import Foundation
internal import ImageCreateCommand

@main
struct ImageCreateMain {
  static func main() async {
    let status = await Program.run(
      arguments: Array(CommandLine.arguments.dropFirst()),
      environment: ProcessInfo.processInfo.environment)
    exit(status)
  }
}
