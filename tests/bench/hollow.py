#!/usr/bin/env python3
"""Measures one large cluster of hollow nodes; README.md says how.

    tests/bench/hollow.py pods --nodes 1000 --pods 30000 --deployments 100
    tests/bench/hollow.py leases --nodes 10000 --seconds 60
"""
import argparse
import http.client
import json
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "compat"))
from keelway_server import Failure, Server  # noqa: E402
from raw_client import Client, Cluster  # noqa: E402


def cpu_of(process):
    """Seconds of CPU so far, of all threads and of each by its name and number."""
    def read(path):
        fields = path.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    threads = {task.name: read(task / "stat")
               for task in pathlib.Path(f"/proc/{process}/task").iterdir()}
    return read(pathlib.Path(f"/proc/{process}/stat")), threads


def memory_of(process):
    for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0


def claim(number):
    """A machine that no pool made, so that no pool takes it away: 16 processors, 32 GiB."""
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim",
            "metadata": {"name": f"bench-{number:05}"},
            "spec": {"nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass",
                                      "name": "default"},
                     "requirements": [
                         {"key": "node.kubernetes.io/instance-type", "operator": "In",
                          "values": ["c5.4xlarge"]},
                         {"key": "karpenter.sh/capacity-type", "operator": "In",
                          "values": ["on-demand"]}]}}


def deployment(number, replicas):
    labels = {"app": f"bench-{number}"}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": f"bench-{number}", "labels": labels},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"containers": [
                    {"name": "app", "image": "registry.k8s.io/pause:3.10", "resources": {
                        "requests": {"cpu": "100m", "memory": "128Mi"}}}]}}}}


class Progress(threading.Thread):
    """Counts the pods that a watch has seen Running."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.running, self.failure = cluster, set(), None
        self.opened, self.wanted, self.done = threading.Event(), 0, threading.Event()

    def expect(self, wanted):
        self.wanted = wanted

    def run(self):
        try:
            self.follow()
        except (OSError, ValueError) as failure:
            self.failure = failure
            self.done.set()

    def follow(self):
        connection = self.cluster.connect(600)
        # One line a pod that became Running; the phase is selected by the server.
        connection.request("GET", "/api/v1/pods?watch=true&fieldSelector=status.phase%3DRunning",
                           headers=self.cluster.headers() | {
                               "Accept": "application/json;as=PartialObjectMetadata;"
                                         "g=meta.k8s.io;v=v1"})
        answer = connection.getresponse()
        self.opened.set()
        while line := answer.readline():
            # Parsing every line would make the measuring process the limit.
            if b'"type":"ADDED"' in line[:40]:
                at = line.find(b'"name":"') + 8
                self.running.add(line[at:line.find(b'"', at)])
                if self.wanted and len(self.running) >= self.wanted:
                    self.done.set()
                    return


def create_claims(cluster, count, connections=8):
    """One request at a time on each connection: a single one would wait for the disk each time."""
    numbers, failures = iter(range(count)), []

    def work():
        client = Client(cluster)
        try:
            for number in numbers:  # next() of a range holds the interpreter's lock
                client.call("POST", "/apis/karpenter.sh/v1/nodeclaims", claim(number))
        except (OSError, http.client.HTTPException, Failure) as failure:
            failures.append(failure)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise Failure(f"a claim could not be created: {failures[0]}")


def ready_nodes(cluster):
    """Counts the rows that say Ready: nodes in full would keep this process busy."""
    connection = cluster.connect(60)
    connection.request("GET", "/api/v1/nodes?includeObject=None", headers=cluster.headers() | {
        "Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"})
    text = connection.getresponse().read()
    connection.close()
    return sum(row["cells"][1] == "Ready" for row in json.loads(text)["rows"])


def large_cluster(running, options):
    kubeconfig = running.create_cluster("scale")
    cluster = Cluster(running, "scale", kubeconfig)
    cpu, _ = cpu_of(running.process.pid)
    started = time.monotonic()
    create_claims(cluster, options.nodes)
    print(f"{options.nodes} claims after {time.monotonic() - started:.1f} s", file=sys.stderr)
    while ready_nodes(cluster) < options.nodes:
        if time.monotonic() - started > 900:
            raise Failure(f"{ready_nodes(cluster)} of {options.nodes} nodes became Ready")
        time.sleep(1)
    print(f"{options.nodes} nodes Ready after {time.monotonic() - started:.1f} s, "
          f"{cpu_of(running.process.pid)[0] - cpu:.1f} s of CPU", file=sys.stderr)
    return cluster, Client(cluster)


def measure_pods(options):
    """Deployments applied, to all of their pods Running on nodes that were Ready before."""
    running = Server("--pools", "none")
    try:
        running.start()
        cluster, client = large_cluster(running, options)
        process = running.process.pid
        time.sleep(options.settle)
        progress = Progress(cluster)
        progress.expect(options.pods)
        progress.start()
        progress.opened.wait(30)
        cpu, threads = cpu_of(process)
        memory, started = memory_of(process), time.monotonic()
        for number in range(options.deployments):
            client.call("POST", "/apis/apps/v1/namespaces/default/deployments",
                        deployment(number, options.pods // options.deployments))
        applied = time.monotonic() - started
        while not progress.done.wait(1):
            spent = time.monotonic() - started
            if options.verbose:
                print(f"{spent:6.1f} s  {len(progress.running)} Running, "
                      f"{cpu_of(process)[0] - cpu:.1f} s of CPU", file=sys.stderr)
            if spent > options.limit:
                raise Failure(f"{len(progress.running)} pods Running after {spent:.0f} s")
        if progress.failure:
            raise Failure(f"the watch broke: {progress.failure}")
        took = time.monotonic() - started
        after, by_thread = cpu_of(process)
        return {"nodes": options.nodes, "pods": options.pods, "applied_s": round(applied, 2),
                "running_s": round(took, 2), "server_cpu_s": round(after - cpu, 2),
                "cpu_us_per_pod": round((after - cpu) * 1e6 / options.pods),
                "threads_cpu_s": sorted((round(by_thread[t] - threads.get(t, 0), 1)
                                         for t in by_thread), reverse=True)[:6],
                "rss_before_mib": memory, "rss_after_mib": memory_of(process)}
    finally:
        running.remove()


def measure_leases(options):
    """CPU of a cluster whose nodes do nothing but renew their leases."""
    running = Server("--pools", "none")
    try:
        running.start()
        _, client = large_cluster(running, options)
        process = running.process.pid
        time.sleep(options.settle)
        cpu, _ = cpu_of(process)
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        before = {lease["metadata"]["name"]: lease["spec"]["renewTime"]
                  for lease in client.items(leases)}
        listed, _ = cpu_of(process)
        time.sleep(options.seconds)
        spent = cpu_of(process)[0] - listed
        renewed = sum(before.get(lease["metadata"]["name"]) != lease["spec"]["renewTime"]
                      for lease in client.items(leases))
        return {"nodes": options.nodes, "seconds": options.seconds, "leases_renewed": renewed,
                "cores": round(spent / options.seconds, 3),
                "cpu_us_per_renewal": round(spent * 1e6 / (options.nodes * options.seconds / 10)),
                "list_cpu_s": round(listed - cpu, 2), "rss_mib": memory_of(process)}
    finally:
        running.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    commands = parser.add_subparsers(dest="command", required=True)
    pods = commands.add_parser("pods", help=measure_pods.__doc__)
    pods.add_argument("--pods", type=int, default=30_000)
    pods.add_argument("--deployments", type=int, default=100)
    pods.add_argument("--limit", type=float, default=300, help="seconds until it has failed")
    leases = commands.add_parser("leases", help=measure_leases.__doc__)
    leases.add_argument("--seconds", type=int, default=60)
    for command, measure, nodes in ((pods, measure_pods, 1000), (leases, measure_leases, 10_000)):
        command.add_argument("--nodes", type=int, default=nodes)
        command.add_argument("--settle", type=float, default=15, help="seconds before it begins")
        command.add_argument("--verbose", action="store_true")
        command.set_defaults(measure=measure)
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


main()
