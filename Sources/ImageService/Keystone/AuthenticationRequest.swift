/// The body of `POST /v3/auth/tokens` for the `password` method, scoped to a project.
struct AuthenticationRequest: Encodable {
  struct Reference: Encodable {
    var id: String?
    var name: String?

    init(_ reference: Credentials.Reference) {
      switch reference {
      case .id(let id): self.id = id
      case .name(let name): self.name = name
      }
    }
  }

  struct Subject: Encodable {
    var id: String?
    var name: String?
    var domain: Reference?
    var password: String?

    init(_ subject: Credentials.Scoped, password: Secret? = nil) {
      switch subject {
      case .id(let id): self.id = id
      case .name(let name, let domain):
        self.name = name
        self.domain = Reference(domain)
      }
      self.password = password?.value
    }
  }

  struct Password: Encodable { let user: Subject }

  struct Identity: Encodable {
    let methods = ["password"]
    let password: Password
  }

  struct Scope: Encodable { let project: Subject }

  struct Auth: Encodable {
    let identity: Identity
    let scope: Scope
  }

  let auth: Auth

  init(_ credentials: Credentials) {
    auth = Auth(
      identity: Identity(
        password: Password(user: Subject(credentials.user, password: credentials.password))),
      scope: Scope(project: Subject(credentials.project)))
  }
}
