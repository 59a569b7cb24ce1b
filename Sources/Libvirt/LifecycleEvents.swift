internal import CLibvirt
internal import Synchronization

/// What happened to a domain while somebody listened (`VIR_DOMAIN_EVENT_ID_LIFECYCLE`).
package final class LifecycleEvents: Sendable {
  /// A kind of event, as in `virDomainEventType`.
  package enum Kind: Int32, Sendable {
    /// It was defined, or defined anew.
    case defined = 0
    /// Its definition was removed.
    case undefined = 1
    /// It was started, from the beginning or from saved memory, or it came by migration.
    case started = 2
    /// Its processors were stopped.
    case suspended = 3
    /// Its processors run again.
    case resumed = 4
    /// It was stopped, or failed to start.
    case stopped = 5
    /// It is on its way down.
    case shutDown = 6
    /// It suspended itself to memory or to disk.
    case slept = 7
    /// It crashed.
    case crashed = 8
  }

  private let seen = Mutex<[Kind]>([])

  fileprivate init() {}

  /// Every event that has arrived until now, in order.
  package func all() async -> [Kind] {
    await EventLoop.settle()
    return seen.withLock { $0 }
  }

  fileprivate func add(_ number: Int32) {
    guard let kind = Kind(rawValue: number) else { return }
    seen.withLock { $0.append(kind) }
  }
}

extension Domain {
  /// Runs a body while the domain's lifecycle events are collected.
  ///
  /// - Throws: `LibvirtError` if the driver has no events; what the body throws.
  package func collectingEvents<Value>(
    _ body: (LifecycleEvents) async throws -> Value
  ) async throws -> Value {
    let events = LifecycleEvents()
    let number = try await call("virConnectDomainEventRegisterAny") { domain in
      let opaque = unsafe Unmanaged.passRetained(events).toOpaque()
      let number = unsafe image_create_register_lifecycle(
        domain,
        { _, _, kind, _, opaque in
          if let opaque = unsafe opaque {
            unsafe Unmanaged<LifecycleEvents>.fromOpaque(opaque).takeUnretainedValue().add(kind)
          }
          return 0
        }, opaque,
        {
          if let opaque = unsafe $0 {
            unsafe Unmanaged<LifecycleEvents>.fromOpaque(opaque).release()
          }
        })
      if number < 0 { unsafe Unmanaged<LifecycleEvents>.fromOpaque(opaque).release() }
      return number
    }
    let result: Result<Value, any Error>
    do {
      result = .success(try await body(events))
    } catch {
      result = .failure(error)
    }
    // A connection that has died has no registrations.
    _ = try? await call("virConnectDomainEventDeregisterAny") {
      unsafe virConnectDomainEventDeregisterAny(virDomainGetConnect($0), number)
    }
    return try result.get()
  }

  /// Whether the domain is shut off here because it was migrated to another host
  /// (`virDomainGetState`, reason `VIR_DOMAIN_SHUTOFF_MIGRATED`).
  package func isLeftByMigration() async throws(LibvirtError) -> Bool {
    try await value("virDomainGetState") { domain in
      var state: Int32 = 0
      var reason: Int32 = 0
      guard unsafe virDomainGetState(domain, &state, &reason, 0) == 0 else { return nil }
      return state == DomainState.shutOff.rawValue
        && reason == Int32(VIR_DOMAIN_SHUTOFF_MIGRATED.rawValue)
    }
  }
}
