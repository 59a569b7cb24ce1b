/// What a domain is doing, as `virDomainGetState` tells it.
public enum DomainState: Int32, Sendable, Hashable, CustomStringConvertible {
  /// No state is known.
  case noState = 0
  /// The guest runs.
  case running = 1
  /// The guest runs and waits for a resource.
  case blocked = 2
  /// The guest's processors are stopped; its memory is kept.
  case paused = 3
  /// The guest is on its way down.
  case shuttingDown = 4
  /// No process; nothing runs.
  case shutOff = 5
  /// The guest crashed.
  case crashed = 6
  /// The guest suspended itself to memory.
  case suspended = 7

  /// libvirt's word for it, as `virsh domstate` prints it.
  public var description: String {
    switch self {
    case .noState: "no state"
    case .running: "running"
    case .blocked: "blocked"
    case .paused: "paused"
    case .shuttingDown: "in shutdown"
    case .shutOff: "shut off"
    case .crashed: "crashed"
    case .suspended: "pmsuspended"
    }
  }
}
