"""UpdateClusterVersion through the AWS CLI, in place: while it happens a writer sees no failure, a
watch that resumes loses no event, and kubectl goes on; afterwards the cluster is of the new minor."""
import subprocess
import threading

from keelway_server import Failure, expect, main, run, server, wait_until
from raw_client import Client, Cluster, config_map
from test_aws import Cli
from resuming_watcher import MAPS, Watcher
from test_crash import read_maps
from test_kubectl import find_clients

NAME = "up"


class SteadyWriter(threading.Thread):
    """Creates and deletes until it is told to stop. Any failure is one too many: an upgrade is no
    outage."""
    prefix = "w"

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.client = Client(cluster)
        self.revisions, self.deleted, self.uncertain = {}, set(), set()
        self.count, self.problem, self.stopping = 0, None, False

    def run(self):
        try:
            while not self.stopping:
                self.count += 1
                name = f"w-{self.count}"
                made = self.client.call("POST", MAPS, config_map(name))
                self.revisions[int(made["metadata"]["resourceVersion"])] = name
                if self.count % 3 == 0:
                    self.client.call("DELETE", f"{MAPS}/{name}")
                    self.deleted.add(name)
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem


def upgrade(aws):
    made = aws("eks", "update-cluster-version", "--name", NAME,
               "--kubernetes-version", "1.33")["update"]
    expect(made["type"], "VersionUpdate", "the kind of update")
    expect(made["status"], "InProgress", "the update at first")
    expect({p["type"]: p["value"] for p in made["params"]},
           {"Version": "1.33", "PlatformVersion": "eks.1"}, "its parameters")

    def finished():
        found = aws("eks", "describe-update", "--name", NAME, "--update-id", made["id"])["update"]
        expect(found["errors"], [], "errors of the update")
        return found["status"] == "Successful"
    wait_until("the update", finished)
    expect(aws("eks", "list-updates", "--name", NAME)["updateIds"], [made["id"]], "its record")


def refusals(aws):
    def refused(version, words):
        aws.refused(version, ["eks", "update-cluster-version", "--name", NAME,
                              "--kubernetes-version", version], words)
    return refused


def versions(client, aws):
    described = aws("eks", "describe-cluster", "--name", NAME)["cluster"]
    expect(described["status"], "ACTIVE", "the cluster")
    return client.get("/version")["minor"], described["version"]


def a_cluster_is_upgraded_while_it_is_used():
    with server("--pools", "none") as running:
        aws = Cli(running.env)
        cluster = Cluster(running, NAME, running.create_cluster(NAME, "1.32"))
        client = Client(cluster)
        refused = refusals(aws)
        expect(versions(client, aws), ("32", "1.32"), "before")
        for wrong in ("1.32", "1.31", "1.34"):
            known = wrong == "1.32"
            refused(wrong, "(InvalidParameterException) when calling the UpdateClusterVersion "
                           "operation: " + ("Unsupported Kubernetes minor version update from "
                                            "1.32 to 1.32" if known else
                                            "unsupported Kubernetes version"))
        start = client.get(f"{MAPS}?limit=1")["metadata"]["resourceVersion"]
        watcher, writer = Watcher([cluster], int(start)), SteadyWriter(cluster)
        watcher.start()
        writer.start()
        wait_until("some writes", lambda: writer.problem or writer.count > 50)
        upgrade(aws)
        expect(versions(client, aws), ("33", "1.33"), "afterwards")
        before = writer.count
        wait_until("writes afterwards", lambda: writer.problem or writer.count > before + 50)
        writer.stopping = True
        writer.join(20)
        if writer.problem:
            raise Failure(f"a write failed in the upgrade: {writer.problem!r}")
        final = {n: int(m["metadata"]["resourceVersion"]) for n, m in read_maps(client).items()}
        last = client.call("POST", MAPS, config_map("end"))
        wait_until("the watcher to see the last write", lambda: watcher.has_seen(
            int(last["metadata"]["resourceVersion"])), 20)
        watcher.stopping = True
        watcher.events = [e for e in watcher.events if e[1].startswith("w")]
        watcher.check([writer], final)
        refused("1.32", "Unsupported Kubernetes minor version update from 1.33 to 1.32")
        print(f"      {writer.count} writes, {len(watcher.events)} events, "
              f"{watcher.resumed} watches")


def kubectl_waits_across_an_upgrade():
    minor, binary = max(find_clients().items())
    with server("--pools", "none") as running:
        aws = Cli(running.env)
        env = dict(running.env, KUBECONFIG=str(running.create_cluster(NAME, "1.32")))
        run([binary, "create", "configmap", "flag", "--from-literal=go=no"], env)
        waiting = subprocess.Popen(
            [str(binary), "wait", "--for=jsonpath={.data.go}=yes", "configmap/flag",
             "--timeout=60s"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        upgrade(aws)
        run([binary, "patch", "configmap", "flag", "--type=merge", "-p",
             '{"data":{"go":"yes"}}'], env)
        said = waiting.communicate(timeout=90)[0]
        expect(waiting.returncode, 0, f"kubectl 1.{minor} wait: {said}")
        out = run([binary, "version"], env).out
        if "Server Version: v1.33" not in out:
            raise Failure(f"kubectl version says {out}")


if __name__ == "__main__":
    main([a_cluster_is_upgraded_while_it_is_used, kubectl_waits_across_an_upgrade])
