"""Two servers on one etcd: each serves every cluster, and killing either loses nothing."""
import contextlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time

from etcd_server import etcd
from keelway_server import (BINARY, ROOT, Failure, Server, clean_environment, expect, main, run,
                            wait_until)
from raw_client import Client, Cluster, Refused, config_map
from resuming_watcher import BROKEN, MAPS, Watcher

KILLS = int(os.environ.get("KEELWAY_KILLS", "6"))
WRITERS = 8
# Objects that a writer keeps: a server that starts reads them all, at each of its starts.
KEPT = 500


@contextlib.contextmanager
def two_servers():
    """Both on this machine, so on two of its loopback addresses: a cluster has one port for life.
    The second gets the sealing key of the first."""
    with etcd("--unsafe-no-fsync") as store:
        servers = [Server("--store", store.url(), "--pools", "none", "--server-name", name,
                          host=host) for name, host in (("a", "127.0.0.1"), ("b", "127.0.0.2"))]
        try:
            servers[0].start()
            servers[1].data.mkdir(mode=0o700)
            shutil.copy(servers[0].data / "seal.key", servers[1].data / "seal.key")
            servers[1].start()
            yield servers
            for running in servers:
                running.stop()
        except BaseException:
            for running in servers:
                print(f"--- log of {running.host} ---\n" + running.log())
            raise
        finally:
            for running in servers:
                running.remove()


def reach(running, name):
    """The cluster, as that server serves it."""
    path = running.home / f"kubeconfig-{name}"

    def look():
        running.keelway("cluster", "kubeconfig", name, "--file", path)
        cluster = Cluster(running, name, path)
        expect(cluster.host, running.host, "the endpoint is that of the server that was asked")
        try:
            Client(cluster).get("/api/v1/namespaces/default")
        except BROKEN as problem:
            raise Failure(repr(problem)) from None
        return cluster
    return wait_until(f"{running.host} to serve {name}", look, 30)


def each_serves_every_cluster():
    with two_servers() as (a, b):
        a.create_cluster("one")
        b.create_cluster("two")
        for name in ("one", "two"):
            clients = [Client(reach(running, name)) for running in (a, b)]
            for i in range(10):
                # Written here, read there at once: with the revision, without, and as a list.
                here, there = clients[i % 2], clients[1 - i % 2]
                made = here.call("POST", MAPS, config_map(f"m-{i}"))
                revision = made["metadata"]["resourceVersion"]
                found = there.get(f"{MAPS}/m-{i}?resourceVersion={revision}")
                expect(found["metadata"]["uid"], made["metadata"]["uid"], "read there")
                changed = there.call("PUT", f"{MAPS}/m-{i}", config_map(f"m-{i}", {"k": "new"}))
                expect(here.get(f"{MAPS}/m-{i}")["metadata"]["resourceVersion"],
                       changed["metadata"]["resourceVersion"], "a change is read at once")
                listed = here.get(MAPS)
                names = [item["metadata"]["name"] for item in listed["items"]]
                if f"m-{i}" not in names:
                    raise Failure(f"the list of the other server lacks m-{i}")
                # The revision of one server's list is good at the other.
                there.get(f"{MAPS}?resourceVersion={listed['metadata']['resourceVersion']}")


def another_key_is_refused_by_name():
    with etcd("--unsafe-no-fsync") as store:
        first = Server("--store", store.url())
        second = Server("--store", store.url(), host="127.0.0.2")
        try:
            first.start()
            try:
                second.start()
            except Failure as failure:
                if "sealed with another key" not in str(failure):
                    raise
            else:
                raise Failure("a server with another sealing key started")
            first.stop()
        finally:
            first.remove()
            second.remove()


class Writer(threading.Thread):
    """Writes through whichever server answers. What an answer did not settle is left alone, and
    may be as before or as written."""

    def __init__(self, clusters, prefix, seed):
        super().__init__(daemon=True)
        self.clients = [Client(cluster) for cluster in clusters]
        self.at = seed % len(clusters)
        self.prefix, self.random = prefix, random.Random(seed)
        self.data, self.revisions, self.deleted, self.allowed = {}, {}, set(), {}
        self.count = self.switched = 0
        self.stopping, self.problem = False, None

    def run(self):
        try:
            while not self.stopping:
                self.write_one()
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem

    def call(self, *words):
        """None where nobody knows whether it happened."""
        try:
            return self.clients[self.at].call(*words)
        except BROKEN:
            pass
        except Refused as refused:
            if refused.code < 500 and refused.code != 429:
                raise
        self.at = (self.at + 1) % len(self.clients)
        self.switched += 1
        time.sleep(0.02)
        return None

    def write_one(self):
        self.count += 1
        choice = self.random.uniform(0 if len(self.data) < KEPT else 0.5, 1)
        text = f"{self.count} " + "x" * self.random.randrange(400)
        name = (f"{self.prefix}-{self.count}" if choice < 0.5 or not self.data
                else self.random.choice(list(self.data)))
        before = self.data.pop(name, None)
        if before is None:
            done = self.call("POST", MAPS, config_map(name, {"k": text}))
        elif choice < 0.85:
            done = self.call("PUT", f"{MAPS}/{name}", config_map(name, {"k": text}))
        else:
            text = None
            done = self.call("DELETE", f"{MAPS}/{name}")
        if done is None:
            self.allowed[name] = {before, text}
        elif text is None:
            self.deleted.add(name)
        else:
            self.data[name] = text
            self.revisions[int(done["metadata"]["resourceVersion"])] = name

    @property
    def acknowledged(self):
        return len(self.revisions) + len(self.deleted)

    @property
    def uncertain(self):
        return set(self.allowed)

    def check(self, found):
        if self.problem:
            raise Failure(f"{self.prefix}: {self.problem!r}")
        mine = {n: t for n, t in found.items() if n.startswith(self.prefix + "-")}
        for name, texts in self.allowed.items():
            if mine.pop(name, None) not in texts:
                raise Failure(f"{name} is neither as before nor as written")
        if mine != self.data:
            raise Failure(f"acknowledged and not as acknowledged: lost "
                          f"{sorted(set(self.data) - set(mine))[:5]}, returned from deletion "
                          f"{sorted(set(mine) - set(self.data))[:5]}, of {len(self.data)}")


def killing_either_server_loses_nothing():
    seed = int(os.environ.get("KEELWAY_SEED", str(random.randrange(1 << 30))))
    chance = random.Random(seed)
    with two_servers() as servers:
        servers[0].create_cluster("kills")
        clusters = [reach(running, "kills") for running in servers]
        start = int(Client(clusters[0]).get(MAPS)["metadata"]["resourceVersion"])
        watcher = Watcher(clusters, start)
        writers = [Writer(clusters, f"w{i}", i) for i in range(WRITERS)]
        for thread in [watcher, *writers]:
            thread.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.1, 0.5))
            victim = chance.randrange(2)
            servers[victim].kill()
            written = sum(writer.acknowledged for writer in writers)
            wait_until("writers to go on at the other server",
                       lambda w=written: sum(writer.acknowledged for writer in writers) > w + 50,
                       30)
            servers[victim].start()
            reach(servers[victim], "kills")
        for writer in writers:
            writer.stopping = True
        for writer in writers:
            writer.join(30)
            expect(writer.is_alive(), False, f"{writer.prefix} hangs")
        client = Client(clusters[0])
        last = int(client.call("POST", MAPS, config_map("end"))["metadata"]["resourceVersion"])
        wait_until("the watcher to see the last write",
                   lambda: watcher.has_seen(last), 30)
        watcher.stopping = True
        maps = {m["metadata"]["name"]: m for m in client.items(MAPS)
                if m["metadata"]["name"].startswith("w")}
        for writer in writers:
            writer.check({name: m["data"]["k"] for name, m in maps.items()})
        watcher.events = [event for event in watcher.events if event[1].startswith("w")]
        watcher.check(writers, {name: int(m["metadata"]["resourceVersion"])
                                for name, m in maps.items()})
        print(f"      seed {seed}: {sum(w.acknowledged for w in writers)} acknowledged writes, "
              f"{sum(len(w.allowed) for w in writers)} of unknown outcome, "
              f"{len(watcher.events)} events, {KILLS} kills, {watcher.resumed} watches")
        if sum(w.acknowledged for w in writers) < 50 * KILLS or watcher.resumed < 2:
            raise Failure("too few writes or watches: not a test")


def the_guide_is_true():
    """Runs the commands of the guide, literally, in a network of their own: they name ports."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], check=False).returncode:
        print("SKIPPED: the guide's ports need a network namespace, which needs root")
        return
    for tool in ("etcd", "etcdctl", "curl", "ip"):
        if not shutil.which(tool):
            print(f"SKIPPED: {tool} is not installed")
            return
    text = (ROOT / "docs/guides/several-servers.md").read_text()
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S))
    home = pathlib.Path(tempfile.mkdtemp(prefix="keelway-guide-"))
    script = ("set -eux\ntrap 'kill $(jobs -p)' EXIT\nip link set lo up\n" + commands +
              "keelway cluster list --data b\ngrep 127.0.0.2 kubeconfig-b\n")
    env = clean_environment(home)
    env["PATH"] = f"{BINARY.parent}:{env['PATH']}"
    try:
        done = run(["unshare", "-n", "bash", "-c", f"cd {home}; {script}"], env, seconds=180)
        listed = done.out.splitlines()
        if not any(line.startswith("demo ") for line in listed) or not any(
                line.startswith("second ") for line in listed):
            raise Failure(f"the second server does not list both clusters:\n{done.out}")
    except Failure:
        for log in ("etcd.log", "a.log", "b.log"):
            if (home / log).exists():
                print(f"--- {log} ---\n{(home / log).read_text()[-3000:]}")
        raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main([each_serves_every_cluster, another_key_is_refused_by_name,
          killing_either_server_loses_nothing, the_guide_is_true])
