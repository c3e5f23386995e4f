"""The data folder: backup and restore, check, a flipped bit, a disk that is full, old data."""
import http.client
import json
import pathlib
import shutil
import sqlite3
import subprocess
import tarfile
import threading

from keelway_server import ROOT, Failure, Server, expect, expect_in, main, server, wait_until
from raw_client import Client, Cluster, Refused, config_map

MAPS = "/api/v1/namespaces/default/configmaps"
FIXTURES = ROOT / "tests/fixtures"


def names(client):
    return {m["metadata"]["name"]: m["data"] for m in client.items(MAPS)
            if m["metadata"]["name"] != "kube-root-ca.crt"}


def answers(client):
    """A condition for wait_until: the cluster answers."""
    def look():
        try:
            return client.get(f"{MAPS}?limit=1")
        except (OSError, http.client.HTTPException):
            return None
    return look


class Writer(threading.Thread):
    """Creates objects until it is told to stop; keeps the acknowledged names in order."""

    def __init__(self, cluster, prefix):
        super().__init__(daemon=True)
        self.client, self.prefix = Client(cluster), prefix
        self.acknowledged, self.stopping, self.problem = [], False, None

    def run(self):
        try:
            while not self.stopping:
                name = f"{self.prefix}-{len(self.acknowledged)}"
                self.client.call("POST", MAPS, config_map(name, {"k": "x" * 300}))
                self.acknowledged.append(name)
        except (OSError, Failure) as problem:
            self.problem = problem


def a_backup_while_serving_comes_back_elsewhere():
    with server("--pools", "none") as running:
        kubeconfig = running.create_cluster("kept")
        old = Cluster(running, "kept", kubeconfig)
        writers = [Writer(old, f"w{i}") for i in range(4)]
        for writer in writers:
            writer.start()
        wait_until("some writes", lambda: min(len(w.acknowledged) for w in writers) > 50)
        before = [name for writer in writers for name in list(writer.acknowledged)]
        copy = running.home / "copy"
        running.keelway("backup", "--to", copy)
        for writer in writers:
            writer.stopping = True
            writer.join(20)
            if writer.problem:
                raise Failure(f"a writer beside the backup: {writer.problem!r}")
        after = sum(len(w.acknowledged) for w in writers)
        expect(copy.stat().st_mode & 0o777, 0o600, "mode of the backup")
        expect((running.data / "keelway.db").stat().st_mode & 0o777, 0o600, "mode of the database")
        again = running.keelway("backup", "--to", copy, check=False)
        expect(again.code, 1, "a second backup onto the first")
        running.kill()

        # The same machine, another folder; the lost one is gone for good.
        elsewhere = running.home / "elsewhere"
        shutil.rmtree(running.data)
        running.keelway("restore", "--from", copy, "--data", elsewhere)
        refused = running.keelway("restore", "--from", copy, "--data", elsewhere, check=False)
        expect(refused.code, 1, "a restore over data")
        expect_in("already there", refused.err, "a restore over data")
        running.keelway("check", "--data", elsewhere)
        for ending in ("-wal", "-shm", "-journal"):
            littered = running.home / f"littered{ending}"
            littered.mkdir()
            (littered / f"keelway.db{ending}").write_bytes(b"of another database")
            refused = running.keelway("restore", "--from", copy, "--data", littered, check=False)
            expect(refused.code, 1, f"a restore beside keelway.db{ending}")
            expect_in(f"keelway.db{ending} is already there", refused.err, "what it says")
        key = running.access_key
        running.data = elsewhere
        running.start()
        expect(running.access_key, key, "the root key")
        client = Client(old)  # with the old kubeconfig's authority, address and token
        wait_until("the restored cluster to answer", answers(client), 20)
        found = names(client)
        lost = [name for name in before if name not in found]
        if lost:
            raise Failure(f"acknowledged before the backup and lost: {lost[:5]} of {len(before)}")
        client.call("POST", MAPS, config_map("written-after"))
        print(f"      {len(before)} before the backup, {len(found)} in it, {after} at its end")


def what_cannot_be_copied_or_checked_is_said():
    with server("--pools", "none") as running:
        refused = running.keelway("backup", "--to", running.home / ("n" * 300), check=False)
        expect(refused.code, 1, "a backup to a name that is too long")
        expect_in("cannot look at", refused.err, "what it says")
        for files, words in ((["seal.key"], "keeps its state in etcd"), ([], "no database in")):
            folder = running.home / f"with-{len(files)}"
            folder.mkdir()
            for name in files:
                shutil.copy(running.data / name, folder)
            for verb, code in ((["check"], 2), (["backup", "--to", running.home / "copy"], 1)):
                refused = running.keelway(*verb, "--data", folder, check=False)
                expect(refused.code, code, f"{verb[0]} of a folder with {files}")
                expect_in(words, refused.err, f"what {verb[0]} of a folder with {files} says")


def flip(data, key):
    """One bit of the newest value under a key."""
    database = sqlite3.connect(data / "keelway.db")
    (position, value), = database.execute(
        "SELECT position, value FROM log WHERE key=? ORDER BY position DESC LIMIT 1",
        (key.encode(),))
    changed = bytearray(value)
    changed[len(value) // 2] ^= 4
    database.execute("UPDATE log SET value=? WHERE position=?", (bytes(changed), position))
    database.commit()
    database.close()


def a_flipped_bit_stays_where_it_is():
    with server("--pools", "none") as running:
        cluster = Cluster(running, "flip", running.create_cluster("flip"))
        client = Client(cluster)
        for name in ("a", "b", "c"):
            client.call("POST", MAPS, config_map(name))
        sound = running.keelway("check", "-o", "json")
        expect(json.loads(sound.out)["findings"], [], "findings beside a running server")
        running.stop()
        flip(running.data, "/core/configmaps/default/b")
        found = running.keelway("check", check=False)
        expect(found.code, 1, "check's exit code")
        expect_in("/core/configmaps/default/b", found.out, "what check found")
        findings = json.loads(running.keelway("check", "-o", "json", check=False).out)["findings"]
        expect([f["key"] for f in findings], ["/core/configmaps/default/b"], "the keys it names")

        running.start()
        wait_until("the cluster to answer", answers(client), 20)
        expect(set(names(client)), {"a", "c"}, "what is listed")
        expect_in("/core/configmaps/default/b", running.log(), "the server's log")
        expect_in("keelway_unreadable_objects 1", cluster.metrics(), "metrics")
        for method, path, body in (("GET", f"{MAPS}/b", None), ("DELETE", f"{MAPS}/b", None),
                                   ("PUT", f"{MAPS}/b", config_map("b")),
                                   ("POST", MAPS, config_map("b"))):
            try:
                client.call(method, path, body)
                raise Failure(f"{method} of a broken object succeeded")
            except Refused as refused:
                expect(refused.code, 500, f"{method} of a broken object")
                expect_in("/core/configmaps/default/b", str(refused), f"{method} of it")
        option = "ignoreStoreReadErrorWithClusterBreakingPotential=true"
        try:
            client.call("DELETE", f"{MAPS}/a?{option}")
            raise Failure("an object that can be read was deleted as if it could not")
        except Refused as refused:
            expect(refused.code, 422, "the option on a sound object")
        client.call("DELETE", f"{MAPS}/b?{option}")
        client.call("POST", MAPS, config_map("b", {"again": "b"}))
        expect(set(names(client)), {"a", "b", "c"}, "what is there after the repair")
        running.keelway("check")


def the_wrong_key_is_refused():
    with server("--pools", "none") as running:
        running.create_cluster("one")
        running.stop()
        key = running.data / "seal.key"
        right = key.read_text()
        key.write_text("A" * 43 + "=\n")
        try:
            running.start()
            raise Failure("a server started with the wrong sealing key")
        except Failure as failure:
            expect_in("sealing key", str(failure), "what it said")
        key.write_text(right)
        running.start()


class TinyDisk:
    """A file system of a few megabytes that a server's data lies on."""

    def __init__(self, path, size):
        path.mkdir()
        self.path = path
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path],
                              capture_output=True, check=False)
        self.mounted = done.returncode == 0

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path], check=True)

    def remove(self):
        subprocess.run(["umount", "-l", self.path], check=False, capture_output=True)


def a_full_disk_refuses_writes_until_there_is_space():
    running = Server("--pools", "none")
    disk = None
    try:
        disk = TinyDisk(running.home / "tiny", "6m")
        if not disk.mounted:
            print("      not run: it needs to mount a tmpfs")
            return
        running.data = disk.path / "data"
        running.start()
        client = Client(Cluster(running, "tiny", running.create_cluster("tiny")))
        written, refusals = [], []
        while len(refusals) < 20:
            name = f"w-{len(written)}-{len(refusals)}"
            try:
                client.call("POST", MAPS, config_map(name, {"k": "x" * 20_000}))
                written.append(name)
            except Refused as refused:
                refusals.append(refused)
        for refused in refusals:
            expect(refused.code, 503, "the status of a write on a full disk")
            expect_in("full", str(refused), "what it says")
        expect(set(names(client)), set(written), "what a full disk serves")
        disk.resize("64m")
        wait_until("writes to go on", lambda: client.call("POST", MAPS, config_map("after")), 20)
        written.append("after")
        running.kill()
        running.start()
        wait_until("the cluster to answer", answers(client), 20)
        expect(set(names(client)), set(written), "after a kill")
        running.keelway("check")
        print(f"      {len(written)} written, {len(refusals)} refused")
        running.stop()
    finally:
        running.remove()
        if disk:
            disk.remove()
        running.remove()


def data_of_earlier_releases_opens():
    fixtures = sorted(FIXTURES.glob("data-*.tar.gz"))
    if not fixtures:
        raise Failure(f"no fixture in {FIXTURES}")
    for fixture in fixtures:
        wanted = json.loads(pathlib.Path(str(fixture).replace(".tar.gz", ".json")).read_text())
        running = Server("--pools", "none")
        try:
            with tarfile.open(fixture) as archive:
                archive.extractall(running.home, filter="data")
            running.keelway("check", "--data", running.data)
            running.start()
            cluster = Cluster(running, wanted["cluster"], kubeconfig_of(running, wanted["cluster"]))
            client = Client(cluster)
            wait_until("the cluster to answer", answers(client), 30)
            for path, objects in wanted["objects"].items():
                found = {o["metadata"]["name"]: o for o in client.items(path)}
                for name, parts in objects.items():
                    if name not in found:
                        raise Failure(f"{fixture.name}: no {path}/{name}")
                    for part, value in parts.items():
                        expect(found[name].get(part), value, f"{fixture.name}: {name}'s {part}")
            running.stop()
        finally:
            running.remove()


def kubeconfig_of(running, name):
    path = running.home / f"kubeconfig-{name}"
    running.keelway("cluster", "kubeconfig", name, "--file", path)
    return path


if __name__ == "__main__":
    main([a_backup_while_serving_comes_back_elsewhere, what_cannot_be_copied_or_checked_is_said,
          a_flipped_bit_stays_where_it_is, the_wrong_key_is_refused, data_of_earlier_releases_opens,
          a_full_disk_refuses_writes_until_there_is_space])
