"""A cluster over raw HTTPS, for tests that write faster or watch closer than kubectl can."""
import base64
import http.client
import json
import re
import ssl

from keelway_server import Failure, wait_until


class Refused(Failure):
    """An answer other than 2xx."""

    def __init__(self, code, text):
        super().__init__(f"HTTP {code}: {text[:300]}")
        self.code = code


class Cluster:
    """Address, certificate authority and token of one cluster; connections are made from it."""

    def __init__(self, running, name, kubeconfig):
        text = kubeconfig.read_text()
        address = re.search(r"server: https://([^:\s]+):(\d+)", text)
        self.host, self.port = address[1], int(address[2])
        authority = re.search(r"certificate-authority-data: (\S+)", text)[1]
        self.authority = base64.b64decode(authority).decode()  # PEM
        self.context = ssl.create_default_context(cadata=self.authority)
        credential = json.loads(running.keelway("cluster", "token", name, "-o", "json").out)
        self.token = credential["status"]["token"]

    def connect(self, seconds=10):
        return http.client.HTTPSConnection(self.host, self.port, context=self.context,
                                           timeout=seconds)

    def load_target(self, folder):
        """The options by which a load program of tests/bench finds and enters the cluster."""
        authority, token = folder / "ca.pem", folder / "token"
        authority.write_text(self.authority)
        token.write_text(self.token)
        return ["--port", str(self.port), "--ca", str(authority), "--token-file", str(token)]

    def headers(self):
        return {"Authorization": f"Bearer {self.token}"}

    def metrics(self):
        """The lines of /metrics."""
        connection = self.connect()
        connection.request("GET", "/metrics", headers=self.headers())
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return lines


class Client:
    """One connection that is made again after it broke; the caller decides what to repeat."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.connection = cluster.connect()

    def call(self, method, path, body=None, content_type="application/json"):
        """The decoded answer. OSError or HTTPException: nobody knows whether it happened."""
        try:
            self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                    self.cluster.headers() | {"Content-Type": content_type})
            answer = self.connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        if answer.status >= 300:
            raise Refused(answer.status, text)
        return json.loads(text)

    def get(self, path):
        return self.call("GET", path)

    def items(self, path):
        """All objects under a path, page by page."""
        found, more = [], ""
        while True:
            page = self.get(f"{path}?limit=5000&continue={more}")
            found += page["items"]
            more = page["metadata"].get("continue", "")
            if not more:
                return found

    def wait(self, what, path, condition, seconds=30):
        """Polls an object until the condition holds; returns it."""
        def look():
            found = self.get(path)
            return found if condition(found) else None
        return wait_until(what, look, seconds)


def condition_is(kind, status):
    def look(found):
        return any(c["type"] == kind and c["status"] == status
                   for c in found.get("status", {}).get("conditions", []))
    return look


def config_map(name, data=None):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": data or {"written": name}}
