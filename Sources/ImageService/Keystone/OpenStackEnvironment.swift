import Foundation

/// The `OS_*` variables of a shell, as an openrc file sets them.
///
/// An empty variable counts as not set, as for the `openstack` command.
public struct OpenStackEnvironment: Sendable {
  private let variables: [String: String]

  /// Takes a whole environment; only `OS_*` is kept.
  public init(_ environment: [String: String]) {
    variables = environment.filter { $0.key.hasPrefix("OS_") && !$0.value.isEmpty }
  }

  /// Whether an OpenStack cloud is meant: any `OS_*` variable from which openstacksdk would make
  /// its cloud `envvars`, or `OS_CLOUD`.
  public var isConfigured: Bool {
    variables.keys.contains { name in
      !Self.notACloud.contains(name)
        && !Self.notACloudPrefixes.contains(where: name.hasPrefix)
    }
  }

  /// Variables that openstacksdk does not take for a cloud, except OS_CLOUD: whoever sets that
  /// does not want a local image folder.
  private static let notACloud: Set<String> = [
    "OS_REGION_NAME", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_CLOUD_NAME",
  ]
  private static let notACloudPrefixes = ["OS_TEST", "OS_STD", "OS_LOG"]

  /// What is set but has no effect, one sentence each.
  public var warnings: [String] {
    var warnings: [String] = []
    if let path = first("OS_CACERT"), !Self.isSystemBundle(path) {
      warnings.append(
        "OS_CACERT=\(path.quoted) has no effect: certificates are checked with the "
          + "system's CA bundle. Copy the CA into /usr/local/share/ca-certificates and run "
          + "update-ca-certificates.")
    }
    for name in Self.ignored where first(name) != nil {
      warnings.append(
        "\(name) has no effect; to choose the image endpoint, set OS_IMAGE_ENDPOINT_OVERRIDE.")
    }
    if let value = first("OS_INSECURE"), ["1", "true", "yes", "on"].contains(value.lowercased()) {
      warnings.append(
        "OS_INSECURE has no effect: certificates are always checked. Copy the CA into "
          + "/usr/local/share/ca-certificates and run update-ca-certificates.")
    }
    return warnings
  }

  /// What other clients take for the image endpoint.
  private static let ignored = [
    "OS_IMAGE_URL", "OS_ENDPOINT_OVERRIDE", "OS_IMAGE_SERVICE_TYPE", "OS_IMAGE_SERVICE_NAME",
  ]

  /// Where the usual distributions keep the bundle that URLSession uses.
  private static let systemBundles = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ]

  private static func isSystemBundle(_ path: String) -> Bool {
    func resolved(_ path: String) -> String { URL(filePath: path).resolvingSymlinksInPath().path }
    return systemBundles.contains { resolved($0) == resolved(path) }
  }

  /// Reads the credentials.
  ///
  /// A domain that is not named is the one with the id `default`, as for the `openstack` command.
  ///
  /// - Throws: `badConfiguration`, naming every missing variable at once, or what is not supported.
  public func credentials() throws(ImageServiceError) -> Credentials {
    try refuseUnsupported()
    let user = scoped(
      id: ["OS_USER_ID"], name: ["OS_USERNAME", "OS_USER_NAME"], domain: "OS_USER_DOMAIN")
    let project = scoped(
      id: ["OS_PROJECT_ID", "OS_TENANT_ID"], name: ["OS_PROJECT_NAME", "OS_TENANT_NAME"],
      domain: "OS_PROJECT_DOMAIN")
    let url = first("OS_AUTH_URL")
    let password = first("OS_PASSWORD")
    guard let url, let password, let user, let project else {
      let missing = [
        url == nil ? "OS_AUTH_URL" : nil,
        user == nil ? "OS_USERNAME (or OS_USER_ID)" : nil,
        password == nil ? "OS_PASSWORD" : nil,
        project == nil ? "OS_PROJECT_NAME (or OS_PROJECT_ID)" : nil,
      ].compactMap { $0 }
      throw ImageServiceError(
        .badConfiguration,
        reason: "The environment lacked \(missing.joined(separator: ", ")).",
        remedy: "Source the openrc file of your project, or unset all OS_* variables.")
    }
    return try Credentials(
      authURL: url, user: user, password: Secret(password), project: project,
      region: first("OS_REGION_NAME"), interfaces: try interfaces(),
      imageEndpoint: first("OS_IMAGE_ENDPOINT_OVERRIDE"))
  }

  private func first(_ names: String...) -> String? { first(names) }

  private func first(_ names: [String]) -> String? { names.lazy.compactMap { variables[$0] }.first }

  private func scoped(id: [String], name: [String], domain: String) -> Credentials.Scoped? {
    if let id = first(id) { return .id(id) }
    guard let name = first(name) else { return nil }
    if let id = first(domain + "_ID") { return .name(name, domain: .id(id)) }
    if let domain = first(domain + "_NAME") { return .name(name, domain: .name(domain)) }
    if let id = first("OS_DOMAIN_ID") { return .name(name, domain: .id(id)) }
    if let domain = first("OS_DOMAIN_NAME") { return .name(name, domain: .name(domain)) }
    if let domain = first("OS_DEFAULT_DOMAIN_NAME") { return .name(name, domain: .name(domain)) }
    let id = first("OS_DEFAULT_DOMAIN_ID", "OS_DEFAULT_DOMAIN") ?? "default"
    return .name(name, domain: .id(id))
  }

  /// `OS_INTERFACE=internal,publicURL` → internal, public.
  private func interfaces() throws(ImageServiceError) -> [String] {
    let text = first("OS_INTERFACE", "OS_ENDPOINT_TYPE") ?? "public"
    let names = text.split(separator: ",").map {
      let name = $0.filter { !$0.isWhitespace }
      return name.hasSuffix("URL") ? String(name.dropLast(3)) : name
    }
    guard !names.isEmpty, names.allSatisfy(["public", "internal", "admin"].contains) else {
      throw ImageServiceError(
        .badConfiguration,
        reason: "OS_INTERFACE was \(text.quoted).",
        remedy: "Set OS_INTERFACE to public, internal or admin.")
    }
    return names
  }

  private func refuseUnsupported() throws(ImageServiceError) {
    func refuse(_ reason: String, _ remedy: String) throws(ImageServiceError) {
      throw ImageServiceError(.badConfiguration, reason: reason, remedy: remedy)
    }
    if let cloud = first("OS_CLOUD") {
      try refuse(
        "OS_CLOUD was \(cloud.quoted), but clouds.yaml is not supported yet.",
        "Unset OS_CLOUD and set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME.")
    }
    if let type = first("OS_AUTH_TYPE", "OS_AUTH_PLUGIN"),
      !["password", "v3password"].contains(type)
    {
      try refuse(
        "OS_AUTH_TYPE was \(type.quoted); only password and v3password are supported.",
        "Set OS_AUTH_TYPE=password, with OS_USERNAME and OS_PASSWORD.")
    }
    if first("OS_PASSWORD") == nil,
      let name = ["OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_NAME", "OS_TOKEN"]
        .first(where: { first($0) != nil })
    {
      try refuse(
        "\(name) is set, but only a user's password is supported yet.",
        "Set OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME.")
    }
    if let version = first("OS_IDENTITY_API_VERSION"), !version.hasPrefix("3") {
      try refuse(
        "OS_IDENTITY_API_VERSION was \(version.quoted); only version 3 is supported.",
        "Unset OS_IDENTITY_API_VERSION.")
    }
    if let version = first("OS_IMAGE_API_VERSION"), !version.hasPrefix("2") {
      try refuse(
        "OS_IMAGE_API_VERSION was \(version.quoted); only version 2 is supported.",
        "Unset OS_IMAGE_API_VERSION.")
    }
    for name in ["OS_CERT", "OS_KEY"] where first(name) != nil {
      try refuse(
        "\(name) was set, but client certificates are not supported.",
        "Unset \(name), or use an endpoint that asks for none.")
    }
    for name in ["OS_TRUST_ID", "OS_SYSTEM_SCOPE"] where first(name) != nil {
      try refuse(
        "\(name) was set, but only a project can be the scope of an image.",
        "Unset \(name).")
    }
  }
}
