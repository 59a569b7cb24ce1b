"""Brings Keystone to the state the lab promises, and changes nothing else.

Reads KEYSTONE (with /v3), GLANCE, REGION, ADMIN_PASSWORD, GLANCE_PASSWORD and
OPERATOR_PASSWORD from the environment: never from the command line, which
everybody on the machine can read.
"""

import os

import requests

KEYSTONE = os.environ["KEYSTONE"]
REGION = os.environ["REGION"]
LIMIT = 60

session = requests.Session()
session.trust_env = False  # a proxy has no business on the loopback


def call(method, path, body=None):
    answer = session.request(method, KEYSTONE + path, json=body, timeout=LIMIT)
    if not answer.ok:
        raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json() if answer.content else None


def log_in():
    answer = session.post(
        KEYSTONE + "/auth/tokens",
        timeout=LIMIT,
        json={
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {
                        "user": {
                            "name": "admin",
                            "domain": {"id": "default"},
                            "password": os.environ["ADMIN_PASSWORD"],
                        }
                    },
                },
                "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
            }
        },
    )
    if not answer.ok:
        raise SystemExit(f"admin cannot log in: {answer.status_code} {answer.text}")
    session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]


def ensure(plural, singular, query, values):
    """The id of the one that `query` finds, made or updated to have `values`."""
    found = call("GET", f"/{plural}?{query}")[plural]
    if found:
        call("PATCH", f"/{plural}/{found[0]['id']}", {singular: values})
        return found[0]["id"]
    return call("POST", f"/{plural}", {singular: values})[singular]["id"]


def role(name):
    """The roles of Keystone's bootstrap are immutable: only a missing one is made."""
    found = call("GET", f"/roles?name={name}")["roles"]
    return (found or [call("POST", "/roles", {"role": {"name": name}})["role"]])[0]["id"]


def user(name, password, project, roles):
    values = {"name": name, "password": password, "default_project_id": project}
    user_id = ensure("users", "user", f"name={name}&domain_id=default",
                     values | {"domain_id": "default"})
    for each in roles:
        call("PUT", f"/projects/{project}/users/{user_id}/roles/{role(each)}")


def project(name):
    return ensure("projects", "project", f"name={name}&domain_id=default",
                  {"name": name, "domain_id": "default"})


log_in()
user("glance", os.environ["GLANCE_PASSWORD"], project("service"), ["admin", "service"])
user("operator", os.environ["OPERATOR_PASSWORD"], project("demo"), ["member", "reader"])
service = ensure("services", "service", "type=image",
                 {"type": "image", "name": "glance", "enabled": True})
for interface in ("public", "internal", "admin"):
    ensure("endpoints", "endpoint", f"service_id={service}&interface={interface}",
           {"service_id": service, "interface": interface, "region_id": REGION,
            "url": os.environ["GLANCE"], "enabled": True})
