internal import Foundation
internal import ImageCreateCommand

@main
struct ImageCreateMain {
  static func main() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if let status = await GuardianRun.run(arguments) { exit(status) }
    exit(
      await Program.run(
        arguments: arguments, environment: ProcessInfo.processInfo.environment))
  }
}
