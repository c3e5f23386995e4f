#!/usr/bin/env python3
"""Measures the real binary; README.md says how. Each command prints what it measured as a table row
and, with --json, as one line of JSON."""
import argparse
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import ssl
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "compat"))
from keelway_server import BINARY, ROOT, Failure, Server, wait_until  # noqa: E402
from raw_client import Client, Cluster  # noqa: E402

BROKEN = (OSError, http.client.HTTPException)


class Eks:
    """The EKS API over one connection, signed; so that no AWS CLI is part of a measurement."""

    def __init__(self, running):
        self.running = running
        self.connection = http.client.HTTPConnection("127.0.0.1", running.port)

    def sign(self, method, path, body):
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        host = f"127.0.0.1:{self.running.port}"
        scope = f"{day}/us-east-1/eks/aws4_request"
        canonical = "\n".join([method, path, "", f"host:{host}", f"x-amz-date:{stamp}", "",
                               "host;x-amz-date", hashlib.sha256(body).hexdigest()])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.running.secret_key).encode()
        for part in (day, "us-east-1", "eks", "aws4_request", to_sign):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return {"Host": host, "X-Amz-Date": stamp, "Content-Type": "application/json",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={self.running.access_key}/{scope}, "
                                 f"SignedHeaders=host;x-amz-date, Signature={key.hex()}"}

    def call(self, method, path, document=None):
        body = json.dumps(document).encode() if document else b""
        self.connection.request(method, path, body, self.sign(method, path, body))
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Failure(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text)

    def create(self, name):
        return self.call("POST", "/clusters", {
            "name": name, "roleArn": "arn:aws:iam::000000000000:role/bench",
            "resourcesVpcConfig": {"subnetIds": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"]}})

    def wait_active(self, name):
        while True:
            cluster = self.call("GET", f"/clusters/{name}")["cluster"]
            if cluster["status"] == "ACTIVE":
                return cluster
            if cluster["status"] == "FAILED":
                raise Failure(f"{name} failed")
            time.sleep(0.001)


def spread(milliseconds):
    return {"p50_ms": round(statistics.median(milliseconds), 1),
            "min_ms": round(min(milliseconds), 1), "max_ms": round(max(milliseconds), 1),
            "runs": len(milliseconds)}


def first_answer(running):
    """Milliseconds from exec to a 200 of the health page. A fixed port, so that nobody waits for
    the ready line."""
    started = time.monotonic()
    running.process = subprocess.Popen(
        [BINARY, "up", "--data", running.data, "--listen", f"127.0.0.1:{running.port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=running.env)
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
        try:
            connection.request("GET", "/_keelway/health")
            if connection.getresponse().status == 200:
                return (time.monotonic() - started) * 1000
        except BROKEN:
            time.sleep(0.0005)
        if running.process.poll() is not None or time.monotonic() - started > 30:
            raise Failure("the server does not answer")


def measure_start(options):
    """Start to first answer: with an empty data folder, and again with what that start wrote."""
    fresh, again = [], []
    for number in range(options.runs):
        running = Server()
        running.port = 20_000 + os.getpid() % 10_000 + number
        try:
            fresh.append(first_answer(running))
            running.stop()
            again.append(first_answer(running))
            running.stop()
        finally:
            running.remove()
    return {"new_data": spread(fresh), "existing_data": spread(again)}


def until_ready(cluster, token, started):
    """Milliseconds until the cluster's API says ready, and until a pod could be created (the
    default service account is there)."""
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificateAuthority"]["data"]).decode())
    connection = http.client.HTTPSConnection(cluster["endpoint"][len("https://"):],
                                             context=context, timeout=10)
    times = []
    for path in ("/readyz", "/api/v1/namespaces/default/serviceaccounts/default"):
        while True:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                break
            time.sleep(0.001)
        times.append((time.monotonic() - started) * 1000)
    return times


def measure_create(options):
    """CreateCluster call to ready API, one cluster after the other in one server."""
    active, ready, usable = [], [], []
    running = Server()
    try:
        running.start()
        eks = Eks(running)
        for number in range(options.runs):
            name = f"c{number}"
            # A token is a signature; it needs no cluster yet, and its process is not measured.
            token = json.loads(running.keelway("cluster", "token", name).out)["status"]["token"]
            started = time.monotonic()
            eks.create(name)
            cluster = eks.wait_active(name)
            active.append((time.monotonic() - started) * 1000)
            times = until_ready(cluster, token, started)
            ready.append(times[0])
            usable.append(times[1])
        running.stop()
    finally:
        running.remove()
    return {"active": spread(active), "ready": spread(ready), "service_account": spread(usable)}


def memory_of(process):
    """RSS and PSS in MiB."""
    found = {}
    for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            found[name.lower() + "_mib"] = round(int(rest.split()[0]) / 1024, 2)
    return found


def cpu_of(process):
    """Seconds of CPU so far."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled(running, name):
    """The default service account and the default node pool are there and the pool is Ready."""
    kubeconfig = running.home / f"kubeconfig-{name}"
    running.keelway("cluster", "kubeconfig", name, "--file", kubeconfig)
    client = Client(Cluster(running, name, kubeconfig))

    def look():
        client.get("/api/v1/namespaces/default/serviceaccounts/default")
        pools = client.get("/apis/karpenter.sh/v1/nodepools")["items"]
        return pools and all(
            any(c["type"] == "Ready" and c["status"] == "True"
                for c in p.get("status", {}).get("conditions", [])) for p in pools)
    wait_until(f"{name} to settle", look, 60)
    client.connection.close()


def measure_memory(options):
    """Memory and idle CPU of one process with so many idle clusters, all their loops running."""
    rows = {}
    for count in options.clusters:
        running = Server()
        try:
            running.start()
            eks = Eks(running)
            started = time.monotonic()
            for number in range(count):
                eks.create(f"c{number}")
                eks.wait_active(f"c{number}")
            created = time.monotonic() - started
            for number in range(count):
                settled(running, f"c{number}")
            process = running.process.pid
            row = {"created_s": round(created, 2), "at_once": memory_of(process)}
            cpu = cpu_of(process)
            time.sleep(options.minutes * 60)
            row.update(memory_of(process))
            row["idle_cpu_ms_per_minute"] = round(
                (cpu_of(process) - cpu) * 1000 / options.minutes, 1)
            rows[str(count)] = row
            running.stop()
        finally:
            running.remove()
    if "0" in rows:
        for count, row in rows.items():
            if int(count):
                row["pss_mib_each"] = round((row["pss_mib"] - rows["0"]["pss_mib"]) / int(count), 2)
    return rows


def program(name):
    """A program of tests/bench, of the preset that BINARY is of."""
    for folder in (BINARY.resolve().parent, ROOT / "build/release", ROOT / "build/dev"):
        for place in (f"tests/bench/{name}", name):
            if (folder / place).exists():
                return folder / place
    raise Failure(f"no {name}: cmake --build --preset release --target {name}")


def run_load(name, target, process, *words):
    """One run of a load program, with the CPU that the server spent on each request."""
    cpu = cpu_of(process)
    done = subprocess.run([program(name), *target, *(str(w) for w in words)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(done.stderr)
    row = json.loads(done.stdout)
    requests = row.get("writes", row.get("reads"))
    row["server_cpu_us"] = round((cpu_of(process) - cpu) * 1e6 / requests, 1)
    return row


def measure_writes(options):
    """Durable creates of an object over TLS and HTTP/2 in one cluster."""
    running = Server("--pools", "none")
    try:
        running.start()
        cluster = Cluster(running, "writes", running.create_cluster("writes"))
        target = cluster.load_target(running.home)
        process, rows = running.process.pid, []
        for number in range(options.runs):
            before = memory_of(process)
            row = run_load("write_load", target, process, "--count", options.count, "--bytes",
                           options.bytes, "--connections", options.connections, "--streams",
                           options.streams, "--prefix", f"run{number}")
            row["pss_bytes_per_object"] = round(
                (memory_of(process)["pss_mib"] - before["pss_mib"]) * 1048576 / options.count)
            rows.append(row)
        running.stop()
    finally:
        running.remove()
    return {"median_per_second": statistics.median(r["per_second"] for r in rows),
            "median_server_cpu_us": statistics.median(r["server_cpu_us"] for r in rows),
            "runs": rows}


def fdatasync_latency(folder, count=500, size=16_384):
    """Milliseconds of appending some pages and waiting for the disk."""
    times, page = [], b"x" * size
    path = folder / "fdatasync"
    with open(path, "wb", buffering=0) as file:
        for _ in range(count):
            started = time.monotonic()
            file.write(page)
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - started) * 1000)
    path.unlink()
    times.sort()
    return {"p50_ms": round(times[count // 2], 3), "p99_ms": round(times[count * 99 // 100], 2)}


def cipher_rate():
    """Megabytes a second of one core through the cipher of the connections, in records of 16 KB."""
    done = subprocess.run(["openssl", "speed", "-elapsed", "-seconds", "1", "-bytes", "16384",
                           "-evp", "aes-256-gcm"], capture_output=True, text=True, check=True)
    return round(float(done.stdout.split()[-1].rstrip("k")) / 1000)


def echo_reads(folder, shapes, objects):
    """The same reads from a bare nghttp2 and OpenSSL server."""
    authority, token = folder / "echo.pem", folder / "echo-token"
    token.write_text("x" * 700)
    echo = subprocess.Popen([program("bench_echo"), authority], stdout=subprocess.PIPE, text=True)
    try:
        target = ["--port", echo.stdout.readline().strip(), "--ca", authority, "--token-file",
                  token]
        return {name: run_load("get_load", target, echo.pid, *words, "--path", READ_PATH,
                               "--objects", objects) for name, words in shapes.items()}
    finally:
        echo.kill()
        echo.wait()


READ_PATH = "/api/v1/namespaces/default/configmaps/read"


def measure_requests(options):
    """Reads and durable creates beside the ceilings of the machine, all in one run: fdatasync,
    the cipher, a bare echo of nghttp2 and OpenSSL."""
    shapes = {"64x1": ["--connections", 64, "--streams", 1, "--count", options.reads],
              "8x16": ["--connections", 8, "--streams", 16, "--count", options.reads]}
    objects, found = 1000, {"load_average": os.getloadavg()[0]}
    running = Server("--pools", "none")
    try:
        running.start()
        cluster = Cluster(running, "requests", running.create_cluster("requests"))
        target, process = cluster.load_target(running.home), running.process.pid
        found["fdatasync"] = fdatasync_latency(running.home)
        found["aes_256_gcm_mb_per_second"] = cipher_rate()
        run_load("write_load", target, process, "--count", objects, "--prefix", "read")
        reads, echoes, writes = [], [], []
        for number in range(options.runs):
            echoes.append(echo_reads(running.home, shapes, objects))
            reads.append({name: run_load("get_load", target, process, *words, "--path", READ_PATH,
                                         "--objects", objects) for name, words in shapes.items()})
            writes.append(run_load("write_load", target, process, "--count", options.count,
                                   "--prefix", f"run{number}"))
        running.stop()
    finally:
        running.remove()

    def medians(rows):
        return {key: statistics.median(row[key] for row in rows)
                for key in ("per_second", "p50_ms", "p99_ms", "max_ms", "server_cpu_us",
                            "client_cpu_us")}
    for name in shapes:
        echo, ours = medians([e[name] for e in echoes]), medians([r[name] for r in reads])
        found[f"echo {name}"], found[f"reads {name}"] = echo, ours
        found[f"reads {name} of echo"] = round(
            statistics.median(r[name]["per_second"] / e[name]["per_second"]
                              for r, e in zip(reads, echoes)), 2)
    found["creates 64x8"] = medians(writes)
    return found


def first_list(running, cluster):
    """Milliseconds from exec to the cluster's answer to a list of one object, and the CPU that
    the server has used by then."""
    started = time.monotonic()
    running.process = subprocess.Popen(
        [BINARY, "up", "--data", running.data, "--listen", f"127.0.0.1:{running.port}",
         *running.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=running.env)
    while True:
        connection = cluster.connect(seconds=60)
        try:
            connection.request("GET", "/api/v1/namespaces/default/configmaps?limit=1",
                               headers=cluster.headers())
            answer = connection.getresponse()
            if answer.status == 200 and json.loads(answer.read())["items"]:
                return (time.monotonic() - started) * 1000, cpu_of(running.process.pid)
        except BROKEN:
            pass
        if running.process.poll() is not None or time.monotonic() - started > 300:
            raise Failure("the server does not answer")
        time.sleep(0.002)


def measure_restart(options):
    """Restart after a kill, by the number of small objects: exec to the first list of one."""
    running, found = Server("--pools", "none"), {}
    try:
        running.start()
        cluster = Cluster(running, "restart", running.create_cluster("restart"))
        there = 0
        for count in sorted(options.objects):
            cluster = Cluster(running, "restart", running.home / "kubeconfig-restart")
            run_load("write_load", cluster.load_target(running.home), running.process.pid,
                     "--count", count - there, "--bytes", options.bytes, "--connections", 4,
                     "--streams", 64,
                     "--prefix", f"to{count}")
            there = count
            times, cpu = [], []
            for _ in range(options.runs):
                running.kill()
                took, used = first_list(running, cluster)
                times.append(took)
                cpu.append(used)
            found[count] = spread(times) | {
                "cpu_s": round(statistics.median(cpu), 2),
                "rss_mib": memory_of(running.process.pid)["rss_mib"],
                "database_mib": round((running.data / "keelway.db").stat().st_size / 1048576, 1)}
    finally:
        running.remove()
    return found


def measure_watch(options):
    """Events that reach so many watchers of one kind a second, while objects are written. The
    watchers are threads of this Python, which is the limit from some number on."""
    running = Server("--pools", "none")
    try:
        running.start()
        cluster = Cluster(running, "watch", running.create_cluster("watch"))
        path = "/api/v1/namespaces/default/configmaps"
        revision = Client(cluster).get(f"{path}?limit=1")["metadata"]["resourceVersion"]

        def follow():
            connection = cluster.connect(seconds=60)
            connection.request("GET", f"{path}?watch=1&resourceVersion={revision}",
                               headers=cluster.headers())
            answer, seen = connection.getresponse(), 0
            while seen < options.count:
                seen += answer.read1(1 << 20).count(b'"type":"ADDED"')

        threads = [threading.Thread(target=follow) for _ in range(options.watchers)]
        for thread in threads:
            thread.start()
        client, started = Client(cluster), time.monotonic()
        for number in range(options.count):
            client.call("POST", path, {"apiVersion": "v1", "kind": "ConfigMap",
                                       "metadata": {"name": f"w{number}"},
                                       "data": {"k": "x" * (options.bytes - 100)}})
        for thread in threads:
            thread.join()
        took = time.monotonic() - started
        running.stop()
    finally:
        running.remove()
    return {"events": options.count * options.watchers, "seconds": round(took, 2),
            "events_per_second": round(options.count * options.watchers / took)}


def measure_pods(options):
    """100 pods of examples/mixed-sizes.yaml: kubectl apply returned, to all of them Running."""
    times = []
    for _ in range(options.runs):
        running = Server()
        try:
            running.start()
            kubeconfig = running.create_cluster("pods")
            running.env["KUBECONFIG"] = str(kubeconfig)
            client = Client(Cluster(running, "pods", kubeconfig))
            subprocess.run(["kubectl", "apply", "-f", ROOT / "examples/mixed-sizes.yaml"],
                           env=running.env, check=True, capture_output=True)
            started = time.monotonic()
            client.wait("100 pods", "/api/v1/namespaces/default/pods", lambda found: [
                p["status"].get("phase") for p in found["items"]] == ["Running"] * 100, 60)
            times.append((time.monotonic() - started) * 1000)
            running.stop()
        finally:
            running.remove()
    return spread(times)


def add(commands, name, function, **values):
    """A command that measures, with an option for each value, of the value's type; a list of values
    is an option that takes several."""
    command = commands.add_parser(name, help=function.__doc__.split("\n")[0])
    command.set_defaults(measure=function)
    for option, default in values.items():
        many = isinstance(default, list)
        command.add_argument(f"--{option}", type=type(default[0] if many else default),
                             default=default, nargs="+" if many else None,
                             help=f"default {default}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    commands = parser.add_subparsers(dest="command", required=True)
    add(commands, "start", measure_start, runs=10)
    add(commands, "create", measure_create, runs=100)
    add(commands, "memory", measure_memory, clusters=[0, 1, 10, 100], minutes=5.0)
    add(commands, "writes", measure_writes, runs=3, count=100_000, bytes=2048, connections=64,
        streams=8)
    add(commands, "requests", measure_requests, runs=3, count=100_000, reads=200_000)
    add(commands, "restart", measure_restart, runs=3, objects=[1_000, 10_000, 100_000],
        bytes=300)
    add(commands, "watch", measure_watch, count=1_000, watchers=20, bytes=2048)
    add(commands, "pods", measure_pods, runs=3)
    options = parser.parse_args()
    try:
        found = options.measure(options)
    except Failure as failure:
        raise SystemExit(f"{options.command}: {failure}") from failure
    if options.json:
        print(json.dumps({options.command: found}))
        return
    for name, value in found.items():
        print(f"{options.command} {name}: {value}")


if __name__ == "__main__":
    main()
