import Foundation
import ImageService
import Testing

@Suite struct OpenStackEnvironmentTests {
  static let complete = [
    "OS_AUTH_URL": "http://h:5000", "OS_USERNAME": "ann", "OS_PASSWORD": "pw",
    "OS_PROJECT_NAME": "blue",
  ]

  static func environment(_ changes: [String: String]) -> OpenStackEnvironment {
    OpenStackEnvironment(complete.merging(changes) { $1 })
  }

  @Test(arguments: [
    ([:], false),
    (["PATH": "/bin", "HOME": "/root"], false),
    (["OS_REGION_NAME": "one", "OS_CLOUD_NAME": "x", "OS_CLIENT_CONFIG_FILE": "/x"], false),
    (["OS_LOG_LEVEL": "debug", "OS_TEST_PATH": "/x", "OS_STDOUT_CAPTURE": "1"], false),
    (["OS_AUTH_URL": ""], false),
    (["OS_AUTH_URL": "http://h"], true),
    (["OS_USERNAME": "ann"], true),
    (["OS_CLOUD": "prod"], true),
  ])
  func aCloudIsMeantByAnyVariableThatSaysSo(variables: [String: String], isConfigured: Bool) {
    #expect(OpenStackEnvironment(variables).isConfigured == isConfigured)
  }

  @Test func everyMissingVariableIsNamedAtOnce() throws {
    let error = try #require(throws: ImageServiceError.self) {
      try OpenStackEnvironment(["OS_REGION_NAME": "one", "OS_PASSWORD": ""]).credentials()
    }
    #expect(error.code == .badConfiguration)
    for name in ["OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"] {
      #expect(error.reason.contains(name))
    }
  }

  @Test func whatIsSetIsNotNamedAsMissing() throws {
    let error = try #require(throws: ImageServiceError.self) {
      try OpenStackEnvironment(["OS_AUTH_URL": "http://h", "OS_USER_ID": "u"]).credentials()
    }
    #expect(!error.reason.contains("OS_AUTH_URL"))
    #expect(!error.reason.contains("OS_USERNAME"))
    #expect(error.reason.contains("OS_PASSWORD"))
  }

  typealias Subject = Credentials.Scoped

  @Test(arguments: [
    ([:], Subject.name("ann", domain: .id("default"))),
    (["OS_USER_DOMAIN_NAME": "D"], .name("ann", domain: .name("D"))),
    (["OS_USER_DOMAIN_NAME": "D", "OS_USER_DOMAIN_ID": "d"], .name("ann", domain: .id("d"))),
    (["OS_DOMAIN_NAME": "D"], .name("ann", domain: .name("D"))),
    (["OS_DEFAULT_DOMAIN": "dd"], .name("ann", domain: .id("dd"))),
    (["OS_DEFAULT_DOMAIN_NAME": "DD"], .name("ann", domain: .name("DD"))),
    (["OS_USER_ID": "u1"], .id("u1")),
  ])
  func theUserIsFoundWithItsDomain(changes: [String: String], user: Subject) throws {
    #expect(try Self.environment(changes).credentials().user == user)
  }

  @Test(arguments: [
    ([:], Subject.name("blue", domain: .id("default"))),
    (["OS_PROJECT_NAME": "", "OS_TENANT_NAME": "red"], .name("red", domain: .id("default"))),
    (["OS_PROJECT_NAME": "", "OS_TENANT_ID": "r1"], .id("r1")),
    (["OS_PROJECT_ID": "b1"], .id("b1")),
    (["OS_PROJECT_DOMAIN_ID": "d"], .name("blue", domain: .id("d"))),
  ])
  func theProjectIsFoundUnderItsOldNamesToo(changes: [String: String], project: Subject) throws {
    #expect(try Self.environment(changes).credentials().project == project)
  }

  @Test(arguments: [
    ([:], ["public"]),
    (["OS_INTERFACE": "internal"], ["internal"]),
    (["OS_ENDPOINT_TYPE": "publicURL"], ["public"]),
    (["OS_INTERFACE": "internal, publicURL"], ["internal", "public"]),
    (["OS_INTERFACE": "admin", "OS_ENDPOINT_TYPE": "publicURL"], ["admin"]),
  ])
  func theInterfaceMayBeAListWithOldNames(changes: [String: String], interfaces: [String]) throws {
    #expect(try Self.environment(changes).credentials().interfaces == interfaces)
  }

  @Test(arguments: [
    (["OS_CLOUD": "prod"], "clouds.yaml"),
    (["OS_AUTH_TYPE": "v3applicationcredential"], "password and v3password"),
    (["OS_AUTH_PLUGIN": "token"], "password and v3password"),
    (["OS_IDENTITY_API_VERSION": "2.0"], "version 3"),
    (["OS_IMAGE_API_VERSION": "1"], "version 2"),
    (["OS_CERT": "/c.pem"], "client certificates"),
    (["OS_KEY": "/k.pem"], "client certificates"),
    (["OS_TRUST_ID": "t"], "OS_TRUST_ID"),
    (["OS_SYSTEM_SCOPE": "all"], "OS_SYSTEM_SCOPE"),
    (["OS_INTERFACE": "sideways"], "OS_INTERFACE"),
    (["OS_AUTH_URL": "h:5000"], "OS_AUTH_URL"),
    (["OS_IMAGE_ENDPOINT_OVERRIDE": "nonsense"], "OS_IMAGE_ENDPOINT_OVERRIDE"),
    (["OS_PASSWORD": "", "OS_APPLICATION_CREDENTIAL_ID": "i"], "OS_APPLICATION_CREDENTIAL_ID"),
    (["OS_PASSWORD": "", "OS_TOKEN": "t"], "only a user's password"),
  ])
  func whatIsNotSupportedIsSaidClearly(changes: [String: String], text: String) throws {
    let error = try #require(throws: ImageServiceError.self) {
      try Self.environment(changes).credentials()
    }
    #expect(error.code == .badConfiguration)
    #expect(error.reason.contains(text))
    #expect(!error.remedy.isEmpty)
  }

  @Test(arguments: ["password", "v3password", ""])
  func passwordAuthenticationIsSupported(type: String) throws {
    #expect(throws: Never.self) { try Self.environment(["OS_AUTH_TYPE": type]).credentials() }
  }

  @Test(
    arguments: [
      ([:], nil),
      (["OS_CACERT": "/ca.pem"], "update-ca-certificates"),
      (["OS_INSECURE": "true"], "OS_INSECURE"),
      (["OS_INSECURE": "false"], nil),
      (["OS_CACERT": "/etc/ssl/certs/ca-certificates.crt"], nil),
      (["OS_CACERT": "/etc/ssl/certs/../certs/ca-certificates.crt"], nil),
      (["OS_IMAGE_URL": "http://g"], "OS_IMAGE_URL has no effect"),
      (["OS_ENDPOINT_OVERRIDE": "http://g"], "OS_IMAGE_ENDPOINT_OVERRIDE"),
      (["OS_IMAGE_SERVICE_TYPE": "x"], "OS_IMAGE_SERVICE_TYPE has no effect"),
      (["OS_IMAGE_SERVICE_NAME": "x"], "OS_IMAGE_SERVICE_NAME has no effect"),
    ] as [([String: String], String?)])
  func whatHasNoEffectIsWarnedOf(changes: [String: String], text: String?) {
    let warnings = Self.environment(changes).warnings
    #expect(warnings.count == (text == nil ? 0 : 1))
    if let text { #expect(warnings[0].contains(text)) }
  }

  @Test func theImageEndpointCanBeSet() throws {
    let credentials = try Self.environment(["OS_IMAGE_ENDPOINT_OVERRIDE": "http://g/image"])
      .credentials()
    #expect(credentials.imageEndpoint?.absoluteString == "http://g/image/v2")
  }
}
