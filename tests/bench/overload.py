#!/usr/bin/env python3
"""Offers a cluster three times what it can do, from many users at once, while its nodes renew their
leases and a deployment grows. Prints what became of leases, loops, memory and latency."""
import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "compat"))
from bench import program  # noqa: E402
from keelway_server import Failure, Server  # noqa: E402
from raw_client import Client, Cluster  # noqa: E402

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"


def memory_mib(process, name="VmRSS"):
    with open(f"/proc/{process}/status") as status:
        line = next(one for one in status if one.startswith(name))
    return round(int(line.split()[1]) / 1024, 1)


class Sampler(threading.Thread):
    """Looks at leases and memory until it is stopped."""

    def __init__(self, cluster, process):
        super().__init__(daemon=True)
        self.client, self.process = Client(cluster), process
        self.renewed = {}     # node: [when the lease says it was renewed, ...]
        self.duration = 0
        self.peak, self.over = 0.0, False

    def look(self):
        for lease in self.client.get(LEASES)["items"]:
            spec = lease["spec"]
            when = datetime.datetime.fromisoformat(spec["renewTime"].replace("Z", "+00:00"))
            times = self.renewed.setdefault(lease["metadata"]["name"], [])
            if not times or times[-1] != when.timestamp():
                times.append(when.timestamp())
            self.duration = spec["leaseDurationSeconds"]

    def run(self):
        while not self.over:
            self.look()
            self.peak = max(self.peak, memory_mib(self.process))
            time.sleep(0.5)

    def longest_gap(self, begin, end):
        """Between two renewals of one lease, or the last one and the end, within the time given."""
        longest = 0.0
        for times in self.renewed.values():
            seen = [t for t in times if t <= end] + [end]
            longest = max([longest] + [b - max(a, begin) for a, b in zip(seen, seen[1:])
                                       if b > begin])
        return longest


class Scene:
    def __init__(self, running, users):
        self.running = running
        kubeconfig = running.create_cluster("busy")
        self.cluster = Cluster(running, "busy", kubeconfig)
        self.client = Client(self.cluster)
        self.tokens = running.home / "tokens"
        self.runs = 0
        self.add_users(users)
        self.client.call("POST", "/api/v1/namespaces/default/configmaps", {
            "metadata": {"name": "read"}, "data": {"k": "x" * 2000}})

    def add_users(self, count):
        self.client.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
            "metadata": {"name": "users"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": "edit"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group",
                          "name": "system:serviceaccounts"}]})
        path = "/api/v1/namespaces/default/serviceaccounts"
        tokens = []
        for i in range(count):
            self.client.call("POST", path, {"metadata": {"name": f"user-{i}"}})
            made = self.client.call("POST", f"{path}/user-{i}/token", {
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": {"expirationSeconds": 7200}})
            tokens.append(made["status"]["token"])
        self.tokens.write_text("\n".join(tokens) + "\n")

    def start_load(self, seconds, rate, streams, connections):
        self.runs += 1
        return subprocess.Popen([str(part) for part in (
            program("overload_load"), *self.cluster.load_target(self.running.home), "--tokens",
            self.tokens,
            "--read",
            "/api/v1/namespaces/default/configmaps/read", "--prefix", f"run{self.runs}",
            "--seconds", seconds, "--rate", rate, "--streams", streams, "--connections",
            connections)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def load(self, *arguments):
        return self.finish(self.start_load(*arguments))

    @staticmethod
    def finish(process):
        out, err = process.communicate()
        if process.returncode != 0:
            raise Failure(err)
        return json.loads(out)

    def deploy(self, replicas):
        self.client.call("POST", DEPLOYMENTS, {
            "metadata": {"name": "grows"}, "spec": {
                "replicas": replicas, "selector": {"matchLabels": {"app": "grows"}},
                "template": {"metadata": {"labels": {"app": "grows"}}, "spec": {

                    "containers": [{"name": "c", "image": "example.com/c",
                                    "resources": {"requests": {"cpu": "1"}}}]}}}})
        return self.wait_running(replicas)

    def scale(self, replicas):
        self.client.call("PATCH", f"{DEPLOYMENTS}/grows/scale", {"spec": {"replicas": replicas}},
                         "application/merge-patch+json")
        return self.wait_running(replicas)

    def wait_running(self, count):
        """Seconds until so many pods run."""
        started = time.monotonic()
        self.client.wait(f"{count} pods to run", PODS, lambda found: [
            p["status"].get("phase") for p in found["items"]].count("Running") == count, 120)
        return round(time.monotonic() - started, 2)

    def metric(self, name):
        """Sum over the series of one name."""
        connection = self.cluster.connect()
        connection.request("GET", "/metrics", headers=self.cluster.headers())
        text = connection.getresponse().read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith((name + "{", name + " ")))


def measure(options):
    """Capacity, calm, three times capacity, calm again."""
    running = Server(*options.limits)
    try:
        running.start()
        scene = Scene(running, options.users)
        first = scene.deploy(options.pods)
        process = running.process.pid
        capacity = scene.load(options.seconds / 3, 0, 16, options.connections)
        if options.rate == 0:
            options.rate = round(3 * capacity["good_per_second"])
        quiet = round(capacity["good_per_second"] / 4)
        before = scene.load(options.seconds / 3, quiet, 100, options.connections)
        calm = scene.scale(options.pods * 2)
        idle = memory_mib(process)
        sampler = Sampler(scene.cluster, process)
        sampler.look()
        sampler.start()
        began = time.time()
        flood = scene.start_load(options.seconds, options.rate, 200, options.connections)
        time.sleep(2)
        loaded = scene.scale(options.pods * 3)
        during = scene.finish(flood)
        ended = time.time()
        sampler.over = True
        sampler.join()
        after = scene.load(options.seconds / 3, quiet, 100, options.connections)
        result = {
            "capacity_per_second": capacity["good_per_second"], "offered_per_second": options.rate,
            "before": before, "during": during, "after": after,
            "nodes": len(sampler.renewed), "lease_seconds": sampler.duration,
            "longest_lease_gap_s": round(sampler.longest_gap(began, ended), 1),
            "scale_s": {"first": first, "calm": calm, "under_load": loaded},
            "rss_mib": {"before": idle, "peak": max(sampler.peak, memory_mib(process, "VmHWM")),
                        "after": memory_mib(process)},
            "rejected": scene.metric("apiserver_flowcontrol_rejected_requests_total"),
            "config_maps": scene.client.get(
                "/api/v1/namespaces/default/configmaps?limit=1")["metadata"].get(
                    "remainingItemCount", 0) + 1,
            "still_waiting": scene.metric("apiserver_flowcontrol_current_inqueue_requests"),
        }
        running.stop()
    finally:
        running.remove()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of load")
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--connections", type=int, default=40)
    parser.add_argument("--pods", type=int, default=50, help="replicas, then twice and three times")
    parser.add_argument("--rate", type=float, default=0,
                        help="requests a second to offer; 0: three times the capacity measured")
    parser.add_argument("--limits", nargs="*", default=[], help="options of keelway up")
    try:
        print(json.dumps(measure(parser.parse_args()), indent=1))
    except Failure as failure:
        sys.exit(f"overload.py: {failure}")


if __name__ == "__main__":
    main()
