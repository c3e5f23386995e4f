"""./demo, end to end, in an environment that points every client at the real cloud and at a proxy.

Nothing may leave the machine: a recorder listens where the proxies and the caller's kubeconfig
point, and must hear nobody. As root the demo runs once more in a network namespace that has only
a loopback, where anything that must leave fails.
"""
import hashlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from keelway_server import BINARY, ROOT, Failure, expect, expect_in, main, skip

# The keys that AWS's documentation uses; to a client they look as real as any.
AWS_CONFIG = """[profile production]
region = eu-central-1
endpoint_url = https://eks.eu-central-1.amazonaws.com
"""
AWS_CREDENTIALS = """[production]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
"""
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: production
contexts: [{{name: production, context: {{cluster: production, user: production}}}}]
clusters: [{{name: production, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: production, user: {{token: not-for-you}}}}]
"""
LOOPBACK_ONLY = """
import fcntl, os, socket, struct, sys
interface = struct.pack("16sh", b"lo", 1)  # IFF_UP
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    fcntl.ioctl(control, 0x8914, interface)  # SIOCSIFFLAGS
os.execv(sys.argv[1], sys.argv[1:])
"""


class Recorder:
    """Accepts connections, keeps what they say first, answers nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            connection, _ = self.listener.accept()
            connection.settimeout(1)
            try:
                self.heard.append(connection.recv(200))
            except OSError:
                self.heard.append(b"")
            connection.close()


def poisoned(home, port):
    """An environment in which any careless client calls production."""
    proxy = f"http://127.0.0.1:{port}"
    env = dict(os.environ, HOME=str(home), KEELWAY_BINARY=str(BINARY.resolve()),
               AWS_PROFILE="production", AWS_REGION="eu-central-1",
               AWS_ENDPOINT_URL="https://eks.us-east-1.amazonaws.com",
               AWS_ENDPOINT_URL_EKS="https://eks.us-east-1.amazonaws.com",
               AWS_ENDPOINT_URL_STS="https://sts.us-east-1.amazonaws.com",
               AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
               AWS_SECRET_ACCESS_KEY="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
               AWS_SESSION_TOKEN="of-somebody", AWS_CA_BUNDLE="/nowhere.pem",
               KUBECONFIG=str(home / "kube"), KUBERNETES_MASTER=proxy)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        env[name] = env[name.lower()] = proxy
    env.pop("NO_PROXY", None)
    env.pop("no_proxy", None)
    return env


def make_home(folder, port):
    (folder / ".aws").mkdir()
    (folder / ".aws/config").write_text(AWS_CONFIG)
    (folder / ".aws/credentials").write_text(AWS_CREDENTIALS)
    (folder / ".kube").mkdir()
    for path in (folder / "kube", folder / ".kube/config"):
        path.write_text(KUBECONFIG.format(port=port))
    return folder


def fingerprint(folder):
    """Every path with what it holds."""
    return {str(p.relative_to(folder)):
            hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder"
            for p in sorted(folder.rglob("*"))}


def tell_story(out):
    """The output shows what the demo promises."""
    for part in ("is ready on http://127.0.0.1:", "100 pods run", "No resources found",
                 "USD an hour", "DELETING", "How to go on"):
        expect_in(part, out, "what the demo shows")
    bills = [(int(nodes), float(cost))
             for nodes, cost in re.findall(r"(\d+) nodes?, ([\d.]+) USD an hour", out)]
    (most, high), (least, low) = bills[0], bills[-1]
    if not (0 < least < most and 0 < low <= high / 2):
        raise Failure(f"nodes did not leave or the cost did not fall: {bills}")
    print(f"      {most} nodes at {high} USD an hour for 100 pods, then {least} at {low}")


def run_demo(prefix=()):
    with tempfile.TemporaryDirectory(prefix="keelway-demo-") as scratch:
        home = pathlib.Path(scratch) / "home"
        home.mkdir()
        temporary = pathlib.Path(scratch) / "tmp"
        temporary.mkdir()
        recorder = Recorder()
        before = fingerprint(make_home(home, recorder.port))
        env = poisoned(home, recorder.port) | {"TMPDIR": str(temporary)}
        done = subprocess.run([*prefix, str(ROOT / "demo")], env=env, cwd="/", text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=420)
        expect(done.returncode, 0, f"the exit code of ./demo, which said:\n{done.stdout}")
        expect(recorder.heard, [], "what reached the proxy or the caller's own cluster")
        expect(fingerprint(home), before, "the caller's HOME")
        expect(fingerprint(temporary), {}, "what is left in the temporary folder")
        tell_story(done.stdout)


def the_demo_touches_nothing_of_the_caller():
    run_demo()


def the_demo_needs_only_loopback():
    network = ["unshare", "-n"]
    if not shutil.which("unshare") or subprocess.run([*network, "true"], check=False,
                                                     capture_output=True).returncode != 0:
        print("      no network namespace can be made here; not run")
        return
    run_demo([*network, sys.executable, "-c", LOOPBACK_ONLY])


def the_recorder_hears():
    """The proof that silence means something."""
    if not shutil.which("curl"):
        print("      no curl; not run")
        return
    recorder = Recorder()
    env = dict(os.environ, http_proxy=f"http://127.0.0.1:{recorder.port}")
    env.pop("no_proxy", None)
    env.pop("NO_PROXY", None)
    subprocess.run(["curl", "-s", "-m", "2", "http://192.0.2.1/"], env=env, check=False)
    expect([text[:4] for text in recorder.heard], [b"GET "], "what the recorder heard")


for tool in ("kubectl", "aws"):
    if not shutil.which(tool):
        skip(f"{tool} is not installed; ./demo would install it")
main([the_recorder_hears, the_demo_touches_nothing_of_the_caller, the_demo_needs_only_loopback])
