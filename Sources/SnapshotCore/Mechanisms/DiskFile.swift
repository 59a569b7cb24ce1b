internal import Libvirt

/// One disk at one point in time, to be read as it is: a file, or an NBD export.
struct DiskFile: Sendable, Equatable {
  /// Where it is.
  enum Place: Sendable, Equatable {
    /// A file or block device, and what lies below it, top first, each with QEMU's name of its
    /// format.
    case layers([Layer])
    /// What an NBD server offers.
    case export(NBDExport)
  }

  /// One file of a chain.
  struct Layer: Sendable, Equatable {
    let path: String
    let format: String
  }

  /// Where it is.
  let place: Place
  /// Whether a QEMU process may have the files open, and hold its lock, without writing to them.
  var isShared = false
  /// Whether it belongs to this run alone, so that the server can go on while it is read.
  var isOwn = false

  /// Whether a program of this run must offer it before it can be streamed.
  var needsServer: Bool {
    if case .layers = place { true } else { false }
  }

  /// What to call it in messages.
  var label: String {
    switch place {
    case .layers(let layers): layers.first?.path ?? ""
    case .export(let export): "\(export)"
    }
  }

  /// How `qemu-img --image-opts` and `qemu-nbd --image-opts` name it. Every format and every file
  /// is stated: no header decides what is opened.
  var imageOptions: String {
    switch place {
    case .layers(let layers):
      let prefixes = sequence(first: "") { $0 + "backing." }
      let options = zip(prefixes, layers).flatMap { prefix, layer in
        [
          "\(prefix)driver=\(layer.format)",
          "\(prefix)file.filename=\(layer.path.escapedForOption)",
        ]
      }
      return (options + (isShared ? ["force-share=on"] : [])).joined(separator: ",")
    case .export(let export):
      return "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path="
        + "\(export.socketPath.escapedForOption),file.export=\(export.name.escapedForOption)"
    }
  }
}

extension DiskFile.Layer {
  /// A layer of the facts.
  init(_ layer: ImageLayer) { self.init(path: layer.path, format: layer.format) }
}

extension String {
  /// The text as a value among QEMU's options, where a comma ends it unless it is doubled.
  fileprivate var escapedForOption: String { replacing(",", with: ",,") }
}
