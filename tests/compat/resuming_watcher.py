"""A watcher that no death of a server may cost an event; shared by the tests that kill servers."""
import contextlib
import http.client
import json
import threading
import time

from keelway_server import Failure

MAPS = "/api/v1/namespaces/default/configmaps"
BROKEN = (OSError, http.client.HTTPException)


class Watcher(threading.Thread):
    """Watches all ConfigMaps from one revision on, across every death of a server: where one goes, it
    resumes at the next of the clusters' servers.

    The rule that it holds the server to: a watch that resumes at the last revision that it saw
    (of an event or a bookmark) gets every later event once and in order. A restart is no excuse
    for 410 Gone: the server reads its recent history back. 410 is allowed only to a watcher that
    is further behind than that history (1,000 revisions), which nobody here is; so any is a
    failure, and there is no relist that could hide a lost event.
    """

    def __init__(self, clusters, revision):
        super().__init__(daemon=True)
        self.clusters, self.revision = clusters, revision  # one cluster, as its servers serve it
        self.at = 0
        self.events = []  # (type, name, revision)
        self.resumed = 0
        self.problem = None
        self.stopping = False

    def run(self):
        try:
            while not self.stopping:
                with contextlib.suppress(*BROKEN):
                    self.follow()
                self.at = (self.at + 1) % len(self.clusters)
                time.sleep(0.01)
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem

    def follow(self):
        cluster = self.clusters[self.at]
        connection = cluster.connect(seconds=5)
        connection.request("GET", f"{MAPS}?watch=1&allowWatchBookmarks=true"
                                  f"&resourceVersion={self.revision}",
                           headers=cluster.headers())
        answer = connection.getresponse()
        if answer.status >= 500:
            return  # it starts, or lacks its store
        if answer.status != 200:
            raise Failure(f"watch from {self.revision}: {answer.status} {answer.read()[:300]}")
        self.resumed += 1
        while not self.stopping:
            line = answer.readline()
            if not line.endswith(b"\n"):
                return  # cut off: the rest comes after the resume
            self.take(json.loads(line))

    def take(self, event):
        kind, found = event["type"], event["object"]
        if kind == "ERROR":
            raise Failure(f"watch from {self.revision} ended with {found}")
        revision = int(found["metadata"]["resourceVersion"])
        if kind == "BOOKMARK":
            self.revision = max(self.revision, revision)
            return
        if revision <= self.revision:
            raise Failure(f"{kind} of {found['metadata']['name']} at {revision} after "
                          f"{self.revision}: repeated or out of order")
        self.revision = revision
        self.events.append((kind, found["metadata"]["name"], revision))

    def has_seen(self, revision):
        return self.problem or self.revision >= revision

    def check(self, writers, final):
        """Every acknowledged write was seen once; nothing was seen that nobody wrote."""
        if self.problem:
            raise Failure(f"the watcher: {self.problem!r}")
        seen = {revision: name for _, name, revision in self.events}
        deletions = [name for kind, name, _ in self.events if kind == "DELETED"]
        if len(deletions) != len(set(deletions)):
            raise Failure("a deletion was seen twice")
        for writer in writers:
            lost = [r for r, name in writer.revisions.items() if seen.get(r) != name]
            if lost:
                raise Failure(f"no event for acknowledged writes at {sorted(lost)[:5]}")
            if not writer.deleted <= set(deletions):
                raise Failure(f"no event for deleted {sorted(writer.deleted - set(deletions))[:5]}")
            invented = [(r, name) for r, name in seen.items()
                        if name.startswith(writer.prefix + "-") and r not in writer.revisions
                        and name not in writer.deleted | writer.uncertain]
            if invented:
                raise Failure(f"events that nobody wrote: {sorted(invented)[:5]}")
        alive = {}
        for kind, name, revision in self.events:
            alive.pop(name, None)
            if kind != "DELETED":
                alive[name] = revision
        if alive != final:
            raise Failure("events do not add up to what is there")
