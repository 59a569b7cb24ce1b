import Foundation

/// libFuzzer's entry: called with each input, after `IMAGE_CREATE_FUZZ_TARGET` chose what gets it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  chosen(unsafe Data(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

private let chosen: @Sendable (Data) -> Void = {
  let name = ProcessInfo.processInfo.environment["IMAGE_CREATE_FUZZ_TARGET"] ?? ""
  guard let target = FuzzTargets.all[name] else {
    let names = FuzzTargets.all.keys.sorted().joined(separator: " ")
    FileHandle.standardError.write(Data("no target '\(name)'; there are: \(names)\n".utf8))
    exit(2)
  }
  return target
}()
