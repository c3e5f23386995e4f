"""Who may come in: nobody without a valid signature, certificate or token reads anything but
version and health, and who is known does no more than it was given."""
import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import shutil
import ssl
import urllib.parse

from keelway_server import BINARY, Failure, expect, expect_in, main, run, server, wait_until

OPEN = {"/version", "/version/", "/healthz", "/livez", "/readyz"}
SECRET = "hush-hush"  # stands in the cluster; no answer to a stranger may hold it
CLUSTER_PATHS = [
    "/", "/api", "/apis", "/api/v1", "/apis/apps/v1", "/openapi/v2", "/openapi/v3", "/metrics",
    "/openapi/v3/api/v1", "/api/v1/namespaces", "/api/v1/namespaces/default", "/api/v1/secrets",
    "/api/v1/namespaces/default/secrets", "/api/v1/namespaces/default/secrets/" + SECRET,
    "/api/v1/namespaces/default/secrets?watch=1", "/api/v1/watch/secrets", "/api/v1/nodes",
    "/api/v1/namespaces/default/pods/x/log", "/api/v1/namespaces/default/pods/x/exec?command=sh",
    "/api/v1/namespaces/default/services/x/proxy/", "/api/v1/nodes/x/proxy/",
    "/api/v1/namespaces/default/serviceaccounts/default/token", "/apis/karpenter.sh/v1/nodepools",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/logs", "/debug/pprof/",
    "/.well-known/openid-configuration", "/openid/v1/jwks", "/livez/etcd", "/healthz/../api/v1",
    "/healthz/..%2f..%2fapi/v1/secrets", "//api/v1/secrets", "/api/v1/../v1/secrets", "/API/V1",
    "/version/../api/v1/secrets", "/_keelway/health", "/_keelway/keys", "/clusters",
]
DOOR_PATHS = [
    "/", "/clusters", "/clusters/alpha", "/clusters/alpha/updates", "/cluster-versions",
    "/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A000000000000%3Acluster%2Falpha", "/_keelway/keys",
    "/_keelway/keys/AKIA", "/_keelway/reset", "/_keelway/", "/_keelway/health/x",
    "/_keelway/health/../keys", "//clusters", "/?Action=GetCallerIdentity&Version=2011-06-15",
    "/?Action=ListUsers", "/bucket/key", "/api/v1/secrets", "/apis/hub.keelway.dev/v1/accesskeys",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Caller:
    """Speaks HTTP/1.1 to one endpoint, with whatever shows who is calling."""

    def __init__(self, endpoint, token=None, certificate=None):
        url = urllib.parse.urlsplit(endpoint)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        if url.scheme == "http":
            self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
            return
        context = ssl._create_unverified_context()
        if certificate:
            context.load_cert_chain(*certificate)
        self.connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=10,
                                                      context=context)

    def __call__(self, method, path, body=None, headers=None):
        text = json.dumps(body) if body is not None else None
        self.connection.request(method, path, text, {
            "Content-Type": "application/json", **self.headers, **(headers or {})})
        answer = self.connection.getresponse()
        data = answer.read().decode()
        if answer.getheader("connection") == "close":
            self.connection.close()
        return answer.status, data

    def refused(self, method, path, status, part, what):
        got, data = self(method, path)
        expect(got, status, f"{what}: {method} {path}: {data}")
        expect_in(part, data, f"{what}: {method} {path}")


class Cluster:
    def __init__(self, running, name, version=None):
        self.running, self.name = running, name
        self.kubeconfig = running.create_cluster(name, version)
        self.endpoint = next(one["endpoint"] for one in json.loads(
            running.keelway("cluster", "list", "-o", "json").out) if one["name"] == name)
        self.admin = self.caller()

    def token(self, env=None):
        done = run([BINARY, "cluster", "token", self.name], {**self.running.env, **(env or {})})
        return json.loads(done.out)["status"]["token"]

    def caller(self, env=None):
        return Caller(self.endpoint, self.token(env))

    def make(self, path, body):
        status, data = self.admin("POST", path, body)
        expect(status, 201, f"POST {path}: {data}")
        return json.loads(data)

    def service_account_token(self, name):
        return self.make(f"/api/v1/namespaces/default/serviceaccounts/{name}/token",
                         {"spec": {"expirationSeconds": 3600}})["status"]["token"]


def environment_of(key):
    return {"AWS_ACCESS_KEY_ID": key["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"]}


@contextlib.contextmanager
def cluster_with_a_secret():
    with server() as running:
        cluster = Cluster(running, "alpha")
        cluster.make("/api/v1/namespaces/default/secrets",
                     {"metadata": {"name": SECRET}, "stringData": {"k": SECRET}})
        yield cluster


def strangers(endpoint):
    yield "no credentials", Caller(endpoint)
    for what, header in {
            "nonsense token": "Bearer nonsense", "empty token": "Bearer ",
            "unsigned JWT": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06YWRtaW4ifQ.",
            "basic": "Basic YWRtaW46YWRtaW4=",
            "empty EKS token": "Bearer k8s-aws-v1.",
            "sigv4": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/eks/aws4_request, "
                     "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64}.items():
        caller = Caller(endpoint)
        caller.headers = {"Authorization": header}
        yield what, caller
    for name in ("X-Remote-User", "Impersonate-User"):
        caller = Caller(endpoint)
        caller.headers = {name: "system:admin", name.replace("User", "Group"): "system:masters"}
        yield name, caller


def test_strangers_at_a_cluster():
    with cluster_with_a_secret() as cluster:
        for what, caller in strangers(cluster.endpoint):
            for path in CLUSTER_PATHS:
                for method in METHODS:
                    status, data = caller(method, path)
                    expect(status in (401, 403), True,
                           f"{what}: {method} {path} answered {status}: {data}")
                    expect('"data"' in data, False, f"{what}: {method} {path}: {data}")
        nobody = Caller(cluster.endpoint)
        for path in sorted(OPEN):
            status, data = nobody("GET", path)
            expect(status, 200, f"{path} is open: {data}")
            expect(nobody("POST", path, {})[0] in (403, 405), True, f"POST {path}")
        plain = Caller(cluster.endpoint.replace("https:", "http:"))
        with contextlib.suppress(OSError, http.client.HTTPException):
            raise Failure(f"plain HTTP was answered: {plain('GET', '/version')}")
        survivors = cluster.admin("GET", "/api/v1/namespaces/default/secrets/" + SECRET)[0]
        expect(survivors, 200, "nothing was deleted")


def test_strangers_at_the_aws_door():
    with server() as running:
        running.keelway("cluster", "create", "alpha")
        for endpoint in (running.endpoint, running.endpoint.replace("http:", "https:")):
            for what, caller in strangers(endpoint):
                for path in DOOR_PATHS:
                    for method in METHODS:
                        status, data = caller(method, path)
                        expect(status in (400, 401, 403), True,
                               f"{what}: {method} {endpoint}{path} answered {status}: {data}")
                        expect("alpha" in data or running.secret_key in data, False,
                               f"{what}: {method} {path}: {data}")
            status, data = Caller(endpoint)("GET", "/_keelway/health")
            expect((status, json.loads(data)["status"]), (200, "ok"), "health")
            expect(running.access_key in data, False, "health names no key")
        listed = json.loads(running.keelway("cluster", "list", "-o", "json").out)
        expect([one["name"] for one in listed], ["alpha"], "nothing was deleted")


def test_a_token_opens_one_cluster():
    with server() as running:
        alpha, beta = Cluster(running, "alpha"), Cluster(running, "beta")
        alpha.make("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}})
        tokens = {"IAM": alpha.token(), "service account": alpha.service_account_token("robot")}
        for what, token in tokens.items():
            expect(Caller(alpha.endpoint, token)("GET", "/api")[0], 200, f"{what}: its own cluster")
            Caller(beta.endpoint, token).refused("GET", "/api", 401, "Unauthorized",
                                                 f"{what}: another cluster")


def test_service_account_without_a_role():
    with server() as running:
        cluster = Cluster(running, "alpha")
        cluster.make("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}})
        robot = Caller(cluster.endpoint, cluster.service_account_token("robot"))
        user = "system:serviceaccount:default:robot"
        for method, path in [
                ("GET", "/api/v1/namespaces/default/pods"), ("GET", "/api/v1/nodes"),
                ("GET", "/api/v1/namespaces/default/secrets"), ("GET", "/metrics"),
                ("DELETE", "/api/v1/namespaces/default"), ("POST", "/api/v1/namespaces"),
                ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
                ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token"),
                ("GET", "/api/v1/namespaces/default/pods?watch=1"),
                ("DELETE", "/api/v1/namespaces/default/pods")]:
            robot.refused(method, path, 403, f'User \\"{user}\\" cannot', "without a role")
        robot.headers["Impersonate-User"] = "system:admin"
        robot.refused("GET", "/api/v1/nodes", 403, "cannot impersonate", "impersonation")
        del robot.headers["Impersonate-User"]
        cluster.make("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", {
            "metadata": {"name": "robot"}, "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}]})
        wait_until("the role to count",
                   lambda: robot("GET", "/api/v1/namespaces/default/pods")[0] == 200, 5)
        robot.refused("GET", "/api/v1/namespaces/kube-system/pods", 403, user, "another namespace")
        robot.refused("GET", "/api/v1/namespaces/default/secrets", 403, user, "view has no secrets")
        cluster.admin("DELETE", "/api/v1/namespaces/default/serviceaccounts/robot")
        wait_until("the token to die", lambda: robot("GET", "/api")[0] == 401, 5)
        robot.refused("GET", "/api/v1/namespaces/default/pods", 401, "Unauthorized", "deleted")
        cluster.make("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}})
        robot.refused("GET", "/api", 401, "Unauthorized", "a namesake's token")


def new_key(running, *options):
    return json.loads(running.keelway("key", "create", *options, "-o", "json").out)


def test_other_identities():
    with server() as running:
        alpha = Cluster(running, "alpha")
        for key, arn in [(new_key(running, "--user", "ada"), "arn:aws:iam::000000000000:user/ada"),
                         (new_key(running, "--account", "111122223333"),
                          "arn:aws:iam::111122223333:root"),
                         (new_key(running, "--account", "111122223333", "--user", "eve"),
                          "arn:aws:iam::111122223333:user/eve")]:
            known = alpha.caller(environment_of(key))
            for path in ("/api/v1/namespaces", "/api/v1/secrets", "/api/v1/nodes"):
                known.refused("GET", path, 403, arn, "known, and not mapped")
            running.keelway("key", "delete", key["accessKeyId"])
            known.refused("GET", "/api/v1/namespaces", 401, "Unauthorized", "its key was deleted")


def test_accounts_are_apart():
    with server() as running:
        alpha = Cluster(running, "alpha")
        key = new_key(running, "--account", "111122223333")
        other = {**running.env, **environment_of(key)}

        def as_other(*words, check=True):
            return run([BINARY, *words], other, check=check)
        expect(json.loads(as_other("cluster", "list", "-o", "json").out), [], "no foreign clusters")
        done = as_other("cluster", "delete", "alpha", check=False)
        expect(done.code, 1, "deleting another account's cluster")
        expect_in("No cluster found for name: alpha.", done.err, "another account's cluster")
        as_other("cluster", "create", "alpha")
        mine = json.loads(as_other("cluster", "list", "-o", "json").out)
        expect([one["arn"] for one in mine], ["arn:aws:eks:us-east-1:111122223333:cluster/alpha"],
               "a cluster of the same name")
        foreign = Caller(mine[0]["endpoint"], alpha.token())
        foreign.refused("GET", "/api/v1/secrets", 403, "arn:aws:iam::000000000000:root",
                        "the other account's cluster of the same name")
        keys = json.loads(as_other("key", "list", "-o", "json").out)
        expect([one["accessKeyId"] for one in keys], [key["accessKeyId"]], "keys of the account")
        for words, part in [(("key", "create", "--account", "000000000000"), "not authorized"),
                            (("key", "delete", running.access_key), "No access key found")]:
            done = as_other(*words, check=False)
            expect(done.code, 1, " ".join(words))
            expect_in(part, done.err, " ".join(words))
        done = running.keelway("key", "delete", running.access_key, check=False)
        expect_in("last root key", done.err, "the operator's last key")
        ada = {**running.env, **environment_of(new_key(running, "--user", "ada"))}
        done = run([BINARY, "key", "list"], ada, check=False)
        expect((done.code, "not authorized" in done.err), (1, True), f"a user's keys: {done.err}")
        as_other("cluster", "delete", "alpha")
        expect(alpha.admin("GET", "/api")[0], 200, "the namesake still stands")


def signed(key, method, path, body, region="us-east-1", service="eks"):
    """The headers of an AWS request, by Signature Version 4; the path needs no encoding but %."""
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    canonical = "\n".join([method, path.replace("%", "%25"), "", "host:keelway",
                           f"x-amz-date:{stamp}", "", "host;x-amz-date",
                           hashlib.sha256(body.encode()).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    secret = ("AWS4" + key["secretAccessKey"]).encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    return {"Host": "keelway", "X-Amz-Date": stamp, "Authorization":
            f"AWS4-HMAC-SHA256 Credential={key['accessKeyId']}/{scope}, "
            f"SignedHeaders=host;x-amz-date, Signature={signature}"}


class Signer:
    """Calls the AWS endpoint as the holder of a key."""

    def __init__(self, running, key):
        self.caller, self.key = Caller(running.endpoint), key

    def __call__(self, method, path, body=None):
        text = json.dumps(body) if body is not None else ""
        connection = self.caller.connection
        connection.request(method, path, text, {"Content-Type": "application/json",
                                                **signed(self.key, method, path, text)})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_an_account_is_closed_to_users_of_others():
    """Whatever the hub holds of an account: no user, nor root, of another sees or changes it."""
    with server() as running:
        alpha = Cluster(running, "alpha")
        owner = {"accessKeyId": running.access_key, "secretAccessKey": running.secret_key}
        described = Signer(running, owner)("GET", "/clusters/alpha")
        expect(described[0], 200, "the owner's cluster")
        keys = Signer(running, owner)("GET", "/_keelway/keys")
        arn = urllib.parse.quote("arn:aws:eks:us-east-1:000000000000:cluster/alpha", safe="")
        user = new_key(running, "--account", "111122223333", "--user", "eve")
        root = new_key(running, "--account", "111122223333")
        for key, wanted in ((user, 403), (root, 404)):
            ask = Signer(running, key)
            expect(ask("GET", "/clusters"), (200, '{"clusters":[]}'), "clusters")
            for method, path, body in [
                    ("GET", "/clusters/alpha", None), ("DELETE", "/clusters/alpha", None),
                    ("GET", "/clusters/alpha/updates", None),
                    ("GET", "/clusters/alpha/node-groups", None),
                    ("POST", "/clusters/alpha/updates", {"version": "1.33"}),
                    ("POST", "/clusters/alpha/update-config", {"deletionProtection": False}),
                    ("GET", f"/tags/{arn}", None), ("POST", f"/tags/{arn}", {"tags": {"a": "b"}})]:
                status, data = ask(method, path, body)
                expect(status in (400, 403, 404), True, f"{method} {path}: {status}: {data}")
                expect(alpha.endpoint in data, False, f"{method} {path}: {data}")
            expect(ask("DELETE", f"/_keelway/keys/{running.access_key}")[0], wanted, "its key")
            expect(ask("POST", "/_keelway/keys", {"accountId": "000000000000"})[0], 403, "a key")
            expect(ask("POST", "/_keelway/reset")[0], 200, "reset of the own account")
        expect(Signer(running, user)("GET", "/_keelway/keys")[0], 403, "keys of the own account")
        new_key(running, "--user", "ada")  # the operator may still; what follows is as it was
        expect(Signer(running, owner)("GET", "/clusters/alpha"), described, "the cluster")
        left = Signer(running, owner)("GET", "/_keelway/keys")[1]
        for one in json.loads(keys[1])["keys"]:
            expect_in(one["accessKeyId"], left, "the owner's keys")
        for kind in ("accesskeys", "clusters", "servers"):
            status, data = alpha.admin("GET", f"/apis/hub.keelway.dev/v1/{kind}")
            expect(status, 404, f"the hub's {kind} at a cluster: {data}")


def test_certificates_of_another_authority():
    if shutil.which("openssl") is None:
        print("      openssl is not on PATH: foreign certificates are not tried")
        return
    with server() as running:
        cluster = Cluster(running, "alpha")
        key, certificate = running.home / "key.pem", running.home / "certificate.pem"
        for subject in ("/O=system:masters/CN=admin", "/CN=keelway:alpha",
                        "/O=system:nodes/CN=system:node:x"):
            run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", subject,
                 "-addext", "extendedKeyUsage=clientAuth", "-keyout", key, "-out", certificate],
                running.env)
            foreign = Caller(cluster.endpoint, certificate=(certificate, key))
            try:
                status, data = foreign("GET", "/api/v1/secrets")
            except (OSError, http.client.HTTPException):
                continue  # refused while shaking hands: as good
            expect(status, 401, f"{subject}: {data}")


def test_versions_side_by_side():
    with server() as running:
        old, new = Cluster(running, "old", "1.32"), Cluster(running, "new", "1.33")
        pod = {"metadata": {"name": "p"}, "spec": {"os": {"name": "linux"}, "containers": [
            {"name": "c", "image": "i", "lifecycle": {"stopSignal": "SIGUSR1"}}]}}
        path = "/api/v1/namespaces/default/pods?dryRun=All&fieldValidation=Strict"
        status, data = old.admin("POST", path, pod)
        expect(status, 400, f"1.32 does not know the field: {data}")
        expect_in('unknown field \\"spec.containers[0].lifecycle.stopSignal\\"', data, "1.32")
        status, data = new.admin("POST", path, pod)
        expect(status, 201, f"1.33 knows the field: {data}")
        for cluster, minor, known in ((old, "32", False), (new, "33", True)):
            version = json.loads(cluster.admin("GET", "/version")[1])
            expect((version["major"], version["minor"]), ("1", minor), cluster.name)
            schemas = json.loads(cluster.admin("GET", "/openapi/v3/api/v1")[1])["components"]
            lifecycle = schemas["schemas"]["io.k8s.api.core.v1.Lifecycle"]["properties"]
            expect("stopSignal" in lifecycle, known, f"{cluster.name}: the field in OpenAPI")


if __name__ == "__main__":
    main([test_strangers_at_a_cluster, test_strangers_at_the_aws_door,
          test_a_token_opens_one_cluster, test_service_account_without_a_role,
          test_other_identities, test_accounts_are_apart,
          test_an_account_is_closed_to_users_of_others, test_certificates_of_another_authority,
          test_versions_side_by_side])
