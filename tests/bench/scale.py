#!/usr/bin/env python3
"""Measures the real binary with many objects, watchers and clusters; README.md says how. Each
command prints one line of JSON."""
import argparse
import http.client
import json
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "compat"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from bench import Eks, add, cpu_of, program  # noqa: E402
from keelway_server import Failure, Server  # noqa: E402
from raw_client import Client, Cluster  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def memory_of(process):
    """RSS, PSS and private dirty memory in bytes."""
    found = {}
    for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss", "Private_Dirty"):
            found[name.lower()] = int(rest.split()[0]) * 1024
    return found


class Peak:
    """The highest RSS of a process while the block runs."""

    def __init__(self, process):
        self.status = pathlib.Path(f"/proc/{process}/statm")
        self.highest, self.over = 0, False

    def look(self):
        while not self.over:
            self.highest = max(self.highest, int(self.status.read_text().split()[1]) * 4096)
            time.sleep(0.002)

    def __enter__(self):
        self.before = int(self.status.read_text().split()[1]) * 4096
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


class Site:
    """One server with one cluster and the drivers that speak to it."""

    def __enter__(self):
        self.server = Server("--pools", "none")
        try:
            self.server.start()
            self.cluster = Cluster(self.server, "scale", self.server.create_cluster("scale"))
            self.client = Client(self.cluster)
        except BaseException:
            self.server.remove()
            raise
        self.process = self.server.process.pid
        return self

    def __exit__(self, *_):
        self.server.remove()

    def command(self, name, **values):
        words = [program(name), *self.cluster.load_target(self.server.home)]
        for option, value in values.items():
            words += [f"--{option.replace('_', '-')}", value]
        return [str(w) for w in words]

    def drive(self, name, **values):
        done = subprocess.run(self.command(name, **values), capture_output=True, text=True,
                              timeout=900)
        if done.returncode != 0:
            raise Failure(f"{name}: {done.stderr}")
        return json.loads(done.stdout)

    def settle(self, seconds=30):
        """Until the process is idle, or so long: nodes that nobody beats for keep loops busy."""
        before = cpu_of(self.process)
        for _ in range(seconds):
            time.sleep(1)
            now = cpu_of(self.process)
            if now - before < 0.02:
                return
            before = now

    def owners(self, count):
        """Config maps that the pods name as their owners, as `name uid` lines."""
        lines = []
        for number in range(count):
            made = self.client.call("POST", "/api/v1/namespaces/default/configmaps", {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"owner-{number}"}})
            lines.append(f"owner-{number} {made['metadata']['uid']}")
        path = self.server.home / "owners"
        path.write_text("\n".join(lines) + "\n")
        return path

    def nodes(self, count, prefix):
        """Node objects for pods to be bound to; nobody beats for them."""
        form = self.server.home / "node.json"
        form.write_text(json.dumps({"apiVersion": "v1", "kind": "Node",
                                    "metadata": {"name": f"{prefix}%N"}}))
        self.drive("list_load", template=form, path="/api/v1/nodes", count=count)

    def fill(self, count, nodes=1000):
        return self.drive("list_load", template=HERE / "pod.json", words=self.owners(100),
                          path="/api/v1/namespaces/default/pods", count=count, modulus=nodes,
                          connections=8)


def measure_memory(options):
    """What a stored pod costs: the growth of the process against the pods' compact JSON. The
    history window is filled before and after, so that it is in neither figure's difference."""
    with Site() as site:
        site.nodes(1000, "ip-10-0-")
        form = site.server.home / "map.json"
        form.write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap",
                                    "metadata": {"name": "w%N"}, "data": {"k": "x" * 2500}}))
        # Fills windows, feeds and page caches to their bounds.
        maps = "/api/v1/namespaces/default/configmaps"
        site.drive("list_load", template=form, path=maps, count=options.warm, connections=8)
        site.settle()
        before = memory_of(site.process)
        filled = site.fill(options.pods)
        site.settle()
        after = memory_of(site.process)
        listed = site.drive("list_load", path="/api/v1/namespaces/default/pods")
        compact = listed["bytes"] / options.pods
        row = {"pods": options.pods, "fill": filled, "compact_json": round(compact)}
        for name, size in after.items():
            row[f"{name}_per_pod"] = round((size - before[name]) / options.pods)
        row["aim"] = round(1.3 * compact + 250)
        row["process"] = {n: round(v / 2**20, 1) for n, v in after.items()}
        time.sleep(options.hold)
        return row


def measure_lists(options):
    """Lists of so many objects of 2.8 KB: plain, compressed and in pages."""
    with Site() as site:
        form = site.server.home / "map.json"
        form.write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap",
                                    "metadata": {"name": "m%N"}, "data": {"k": "x" * 2600}}))
        path = "/api/v1/namespaces/default/configmaps"
        site.drive("list_load", template=form, path=path, count=options.count, connections=8)
        site.settle()
        rows = {}
        for name, extra in (("plain", {}), ("gzip", {"encoding": "gzip"}),
                            ("pages", {"limit": 500})):
            cpu = cpu_of(site.process)
            with Peak(site.process) as peak:
                rows[name] = site.drive("list_load", path=path, runs=options.runs, **extra)
            rows[name]["server_cpu_ms_each"] = round(
                (cpu_of(site.process) - cpu) * 1000 / options.runs)
            rows[name]["memory_beyond_mib"] = round((peak.highest - peak.before) / 2**20, 1)
        return rows


def measure_watches(options):
    """10,000 watchers of their own nodes and 1,000 writes a second; then all of one resource and
    10 writes a second."""
    rows = {}
    if "own" in options.modes:
        with Site() as site:
            site.nodes(options.watchers, "n-")
            form = site.server.home / "pod.json"
            pod = json.loads((HERE / "pod.json").read_text())
            pod["metadata"].update(name="w-%N")
            del pod["metadata"]["ownerReferences"]
            pod["spec"]["nodeName"] = "n-%N"
            form.write_text(json.dumps(pod))
            site.drive("list_load", template=form, path="/api/v1/namespaces/default/pods",
                       count=options.watchers, connections=8)
            rows["own"] = watched(site, options, "own", options.writes)
    if "shared" in options.modes:
        with Site() as site:
            site.client.call("POST", "/api/v1/namespaces/default/configmaps", {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"},
                "data": {"k": "x" * 1800}})
            rows["shared"] = watched(site, options, "shared", 10)
    return rows


def watched(site, options, mode, writes):
    site.settle()
    before, cpu = memory_of(site.process), cpu_of(site.process)
    revision = site.client.get("/api/v1/namespaces/default/configmaps?limit=1")
    words = site.command("watch_load", mode=mode, watchers=options.watchers, hold=3,
                         connections=options.connections, writes_per_second=writes,
                         seconds=options.seconds,
                         revision=revision["metadata"]["resourceVersion"])
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as driver:
        said = driver.stderr.readline()
        if said != "opened\n":
            raise Failure(f"watch_load: {said}")
        time.sleep(1.5)
        opening, idle = cpu_of(site.process), memory_of(site.process)["rss"]
        row = json.loads(driver.stdout.read() or "{}")
    row["server_cpu_opening_s"] = round(opening - cpu, 2)
    row["server_cpu_s"] = round(cpu_of(site.process) - opening, 2)
    row["idle_kib_each"] = round((idle - before["rss"]) / 1024 / options.watchers, 1)
    return row


def measure_clusters(options):
    """So many idle clusters in one process: time to create, memory and CPU of the idle minutes,
    descriptors and threads, and a restart with all of them."""
    server = Server()
    try:
        server.start()
        process = server.process.pid
        time.sleep(1)
        empty = memory_of(process)
        eks, started = Eks(server), time.monotonic()
        for number in range(options.count):
            eks.create(f"c{number}")
            eks.wait_active(f"c{number}")
        row = {"clusters": options.count,
               "created_s": round(time.monotonic() - started, 1),
               "empty_mib": round(empty["rss"] / 2**20, 1)}
        time.sleep(options.minutes * 60)
        cpu = cpu_of(process)
        time.sleep(60)
        row["idle_cpu_ms_a_minute"] = round((cpu_of(process) - cpu) * 1000)
        idle = memory_of(process)
        row.update({f"{n}_mib": round(v / 2**20, 1) for n, v in idle.items()})
        row["mib_each"] = round((idle["pss"] - empty["pss"]) / 2**20 / options.count, 3)
        row["descriptors"] = len(list(pathlib.Path(f"/proc/{process}/fd").iterdir()))
        row["threads"] = len(list(pathlib.Path(f"/proc/{process}/task").iterdir()))
        time.sleep(options.hold)
        server.stop()
        started = time.monotonic()
        server.start(600)
        row["restart_s"] = round(time.monotonic() - started, 1)
        server.stop()
        return row
    finally:
        server.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    add(commands, "memory", measure_memory, pods=100_000, warm=12_000, hold=0.0)
    add(commands, "lists", measure_lists, count=50_000, runs=5)
    add(commands, "watches", measure_watches, watchers=10_000, connections=50, writes=1000,
        seconds=10, modes=["own", "shared"])
    add(commands, "clusters", measure_clusters, count=1000, minutes=5.0, hold=0.0)
    options = parser.parse_args()
    try:
        print(json.dumps({options.command: options.measure(options)}))
    except (Failure, http.client.HTTPException, OSError) as failure:
        raise SystemExit(f"{options.command}: {failure}") from failure


if __name__ == "__main__":
    main()
