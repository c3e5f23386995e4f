"""The program's own verbs: help, output for people and for programs, refusals, and a stop that does
not wait for those who watch."""
import http.server
import json
import os
import re
import signal
import socket
import ssl
import threading
import time
import urllib.request

from keelway_server import BINARY, Server, expect, expect_in, main, run, server, wait_until

VERBS = [["up"], ["env"], ["version"], ["cluster"], ["cluster", "create"], ["cluster", "list"],
         ["cluster", "nodes"], ["cluster", "token"], ["cluster", "kubeconfig"],
         ["cluster", "delete"], ["key"], ["key", "create"], ["key", "list"], ["key", "delete"]]


def listed(running, *words):
    return json.loads(running.keelway(*words, "-o", "json").out)


def test_help_and_version():
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    expect(bool(re.fullmatch(r"keelway \d+\.\d+\.\d+\S*\n", run([BINARY, "version"], env).out)),
           True, "version")
    overview = run([BINARY, "--help"], env).out
    for verb in VERBS:
        text = run([BINARY, *verb, "--help"], env).out
        expect_in("Usage:", text, f"help of {verb}")
        expect_in(verb[-1], text if len(verb) == 2 else overview, f"{verb} is named")
        lines = text.splitlines() + [""]
        undescribed = [line for line, after in zip(lines, lines[1:])
                       if re.fullmatch(r"\s+-[-\w,]+( \S+)?\s*", line)
                       and not after.startswith(" " * 20)]
        expect(undescribed, [], f"options of {verb} without a description")
    for words in ([], ["nonsense"], ["cluster"], ["cluster", "create"], ["up", "--listen", "x:y"],
                  ["up", "--account", "12"], ["cluster", "list", "-o", "xml"]):
        done = run([BINARY, *words], env, check=False)
        expect(done.code != 0 and bool(done.err), True, f"keelway {' '.join(words)} is refused")


def test_env():
    with server() as running:
        bare = {k: v for k, v in running.env.items() if not k.startswith(("AWS_", "KEELWAY_"))}
        text = run([BINARY, "env", "--data", running.data], bare).out
        shown = run(["sh", "-c", f"{text}\nenv"], bare).out
        for line in (f"AWS_ENDPOINT_URL={running.endpoint}", "AWS_REGION=us-east-1",
                     f"AWS_ACCESS_KEY_ID={running.access_key}",
                     f"AWS_SECRET_ACCESS_KEY={running.secret_key}"):
            expect_in(line + "\n", shown, "the exports of keelway env")
        done = run([BINARY, "env", "--data", running.home / "nothing"], bare, check=False)
        expect((done.code, "keelway up" in done.err), (1, True), f"no server there: {done.err}")
        for name in ("credentials.json", "seal.key"):
            expect(oct((running.data / name).stat().st_mode & 0o777), "0o600", f"mode of {name}")


def test_clusters():
    with server() as running:
        expect(listed(running, "cluster", "list"), [], "no clusters at first")
        made = listed(running, "cluster", "create", "one")
        expect((made["name"], made["status"]), ("one", "ACTIVE"), "create waits")
        text = running.keelway("cluster", "create", "two", "--version", "1.32").out
        expect([line.split()[:3] for line in text.splitlines()],
               [["NAME", "VERSION", "STATUS"], ["two", "1.32", "ACTIVE"]], "the table of create")
        running.keelway("cluster", "create", "far", "--region", "eu-west-1")
        expect([one["name"] for one in listed(running, "cluster", "list")], ["one", "two"], "list")
        expect([one["arn"] for one in listed(running, "cluster", "list", "--region", "eu-west-1")],
               ["arn:aws:eks:eu-west-1:000000000000:cluster/far"], "another region")
        expect(listed(running, "cluster", "nodes", "one"), {"nodes": [], "usdPerHour": 0}, "nodes")
        credential = listed(running, "cluster", "token", "one")
        expect((credential["kind"], credential["apiVersion"]),
               ("ExecCredential", "client.authentication.k8s.io/v1beta1"), "token")
        expect_in("k8s-aws-v1.", credential["status"]["token"], "token")
        text = running.keelway("cluster", "kubeconfig", "one").out
        expect_in(made["endpoint"], text, "kubeconfig on stdout")
        file = running.home / "config"
        expect(running.keelway("cluster", "kubeconfig", "one", "--file", file).out, "", "quiet")
        expect((file.read_text(), oct(file.stat().st_mode & 0o777)), (text, "0o600"), "its file")
        for words, part in [(("create", "one"), "Cluster already exists with name: one"),
                            (("create", "no dots."), "failed to satisfy constraint"),
                            (("delete", "nobody"), "No cluster found for name: nobody."),
                            (("nodes", "nobody"), "No cluster found for name: nobody."),
                            (("kubeconfig", "nobody"), "No cluster found for name: nobody.")]:
            done = running.keelway("cluster", *words, check=False)
            expect((done.code, done.out), (1, ""), f"cluster {' '.join(words)}")
            expect_in(part, done.err, f"cluster {' '.join(words)}")
        running.keelway("cluster", "delete", "one")
        expect([one["name"] for one in listed(running, "cluster", "list")], ["two"], "after delete")


def test_keys():
    with server() as running:
        made = listed(running, "key", "create", "--user", "ada")
        expect((made["accountId"], made["userName"]), ("000000000000", "ada"), "a user's key")
        keys = listed(running, "key", "list")
        expect(sorted(key["accessKeyId"] for key in keys),
               sorted([running.access_key, made["accessKeyId"]]), "keys")
        expect(any("secretAccessKey" in key for key in keys), False, "secrets in the list")
        expect_in("deleted", running.keelway("key", "delete", made["accessKeyId"]).out, "delete")
        expect([key["accessKeyId"] for key in listed(running, "key", "list")],
               [running.access_key], "keys after delete")


def test_data_folder_has_one_owner():
    with server() as running:
        done = run([BINARY, "up", "--data", running.data, "--listen", "127.0.0.1:0"], running.env,
                   check=False, seconds=10)
        expect((done.code, done.out), (1, ""), f"a second server: {done.err}")
        expect_in(str(running.data), done.err, "the folder is named")
        expect(running.keelway("cluster", "list").code, 0, "the first one goes on")
        other = Server("--listen", f"127.0.0.1:{running.port}")
        try:
            done = run([BINARY, "up", "--data", other.data, "--listen",
                        f"127.0.0.1:{running.port}"], other.env, check=False, seconds=10)
            expect(done.code, 1, f"a port that is taken: {done.err}")
            expect_in(str(running.port), done.err, "the port is named")
        finally:
            other.remove()
        done = run([BINARY, "up", "--data", running.home / "open", "--listen", "0.0.0.0:0",
                    "--test-credentials"], running.env, check=False, seconds=10)
        expect((done.code, "loopback" in done.err), (1, True), f"test keys for all: {done.err}")


def watch(cluster, token, opened, ended):
    request = urllib.request.Request(f"{cluster}/api/v1/namespaces?watch=1",
                                     headers={"Authorization": f"Bearer {token}"})
    context = ssl._create_unverified_context()
    with urllib.request.urlopen(request, context=context, timeout=60) as stream:
        for _ in stream:
            opened.set()
    ended.set()


class Playing(http.server.BaseHTTPRequestHandler):
    """An endpoint whose clusters fail: they are made FAILED and cannot be looked at as they go."""
    protocol_version = "HTTP/1.1"

    def reply(self, code, document):
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(201, {"cluster": {"name": "made", "status": "CREATING"}})

    def do_DELETE(self):
        self.reply(200, {"cluster": {"name": "gone", "status": "DELETING"}})

    def do_GET(self):
        if self.path.endswith("/made"):
            self.reply(200, {"cluster": {"name": "made", "status": "FAILED"}})
        else:
            self.reply(503, {"message": "the store is away"})

    def log_message(self, *_):
        pass


def test_waits_that_do_not_end_well():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Playing) as playing:
        threading.Thread(target=playing.serve_forever, daemon=True).start()
        env = {"HOME": "/nonexistent", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s",
               "AWS_ENDPOINT_URL": f"http://127.0.0.1:{playing.server_port}"}
        for words, code, part in ((("delete", "gone"), 1, "the store is away"),
                                  (("delete", "gone", "--no-wait"), 0, ""),
                                  (("create", "made"), 1, "made is FAILED"),
                                  (("create", "made", "--no-wait"), 0, "")):
            done = run([BINARY, "cluster", *words], env, check=False, seconds=20)
            expect(done.code, code, f"cluster {' '.join(words)}: {done.err}")
            expect_in(part, done.err, f"cluster {' '.join(words)}")
        playing.shutdown()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def test_loopback_has_three_names():
    for host, url in (("localhost", "127.0.0.1"), ("[::1]", "[::1]"), ("::1", "[::1]")):
        if "::1" in host and not has_ipv6():
            print("      not run: this machine has no IPv6")
            continue
        running = Server(host=host)
        try:
            running.start()
            found = ["--data", running.data]
            made = json.loads(running.keelway("cluster", "create", "one", "-o", "json", *found).out)
            expect(made["endpoint"].rpartition(":")[0], f"https://{url}", f"--listen {host}:0")
            running.keelway("cluster", "nodes", "one", *found)
            text = run([BINARY, "env", *found], running.env).out
            expect_in(f"AWS_ENDPOINT_URL=http://{url}:{running.port}\n", text, "keelway env")
            running.env["AWS_ENDPOINT_URL"] = f"http://{url}:{running.port}"
            listed_by_url = json.loads(running.keelway("cluster", "list", "-o", "json").out)
            expect([one["name"] for one in listed_by_url], ["one"], "cluster list by the address")
            running.stop()
        finally:
            running.remove()


def test_stops_while_somebody_watches():
    for number in (signal.SIGTERM, signal.SIGINT):
        # A drain that waited for the watch would take a minute.
        with server("--limit", "drain-seconds=60") as running:
            endpoint = listed(running, "cluster", "create", "one")["endpoint"]
            token = listed(running, "cluster", "token", "one")["status"]["token"]
            opened, ended = threading.Event(), threading.Event()
            threading.Thread(target=watch, args=(endpoint, token, opened, ended),
                             daemon=True).start()
            expect(opened.wait(10), True, "the watch delivers")
            started = time.monotonic()
            running.process.send_signal(number)
            expect(running.process.wait(30), 0, f"exit code after {number.name}")
            took = time.monotonic() - started
            expect(took < 30, True, f"the stop took {took:.1f} s")
            expect(ended.wait(5), True, "the watch ends in order")


def test_comes_back():
    with server() as running:
        before = listed(running, "cluster", "create", "one")
        for end in (running.stop, running.kill):
            end()
            running.start()
            wait_until("the cluster to serve again", lambda: running.keelway(
                "cluster", "nodes", "one").code == 0, 20)
            after = listed(running, "cluster", "list")[0]
            expect((after["endpoint"], after["arn"], after["certificateAuthority"]),
                   (before["endpoint"], before["arn"], before["certificateAuthority"]),
                   "the cluster is the same after a restart")


if __name__ == "__main__":
    main([test_help_and_version, test_env, test_clusters, test_keys,
          test_data_folder_has_one_owner, test_waits_that_do_not_end_well,
          test_loopback_has_three_names, test_stops_while_somebody_watches, test_comes_back])
