"""The lab's Keystone and Glance, asked directly, and killed."""

import json
import os
import time
import urllib.error
import urllib.request

import host


class Cloud:
    """Glance with one token, which is asked for again when it is refused."""

    def __init__(self):
        self.token = None

    def images(self):
        """Id -> status of every image."""
        answer = json.loads(self._ask("GET", "/v2/images?limit=1000"))
        return {image["id"]: image["status"] for image in answer["images"]}

    def delete(self, image):
        """Deletes one; one that is gone is fine."""
        self._ask("DELETE", f"/v2/images/{image}")

    def create(self, name):
        """A record without data, as a run that was killed may leave one."""
        self._ask("POST", "/v2/images", {"name": name})

    def _ask(self, method, path, content=None):
        body = json.dumps(content).encode() if content else None
        # uWSGI may close a connection unannounced, and the service may just be starting.
        for attempt in range(20):
            try:
                self.token = self.token or _new_token()
                request = urllib.request.Request(
                    os.environ["GLANCE_URL"] + path, method=method, data=body,
                    headers={"X-Auth-Token": self.token, "Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                if error.code == 404 and method == "DELETE":
                    return b""
                if error.code == 401:
                    self.token = None
                reason = error
            except OSError as error:
                reason = error
            time.sleep(0.1 * (attempt + 1))
        raise host.Failure(f"{method} {path}: {reason}")


def _new_token():
    user = {"name": os.environ["OS_USERNAME"], "password": os.environ["OS_PASSWORD"],
            "domain": {"name": os.environ["OS_USER_DOMAIN_NAME"]}}
    project = {"name": os.environ["OS_PROJECT_NAME"],
               "domain": {"name": os.environ["OS_PROJECT_DOMAIN_NAME"]}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                     "scope": {"project": project}}}
    request = urllib.request.Request(
        os.environ["OS_AUTH_URL"] + "/auth/tokens", data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers["X-Subject-Token"]


def kill_service(service):
    """SIGKILL for a service of the lab with all its workers."""
    host.kill(*host.programs("python3", f"{host.LAB_DIR}/{service}/uwsgi.ini"))


def start_service(service):
    """Starts it again as the lab does; the lab waits until it answers."""
    host.lab(service, "start")
