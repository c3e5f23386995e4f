"""SIGTERM: readyz fails first, new connections are refused, watches end as if their time were over,
what is in flight is answered; a second signal does not wait."""
import contextlib
import http.client
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import raw_http2 as h2
from keelway_server import Failure, Server, expect, expect_in, main, wait_until
from raw_client import Client, Cluster
from raw_http2 import Http2, frame, head

MAPS = "/api/v1/namespaces/default/configmaps"


@contextlib.contextmanager
def cluster_of(*options):
    running = Server(*options)
    try:
        running.start()
        kubeconfig = running.create_cluster("draining")
        cluster = Cluster(running, "draining", kubeconfig)
        cluster.kubeconfig = kubeconfig
        yield running, cluster
    finally:
        running.remove()


def ready(cluster):
    connection = cluster.connect()
    connection.request("GET", "/readyz?verbose", headers=cluster.headers())
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def connects(cluster):
    try:
        socket.create_connection((cluster.host, cluster.port), 2).close()
        return True
    except OSError:
        return False


class Http1Watch:
    """Over a chunked body: ended well only by its last chunk."""

    def __init__(self, cluster):
        self.connection = cluster.connect(30)
        self.connection.request("GET", MAPS + "?watch=1", headers=cluster.headers())
        self.answer = self.connection.getresponse()
        expect_in(b'"type":"ADDED"', self.answer.readline(), "the first event")

    def end(self):
        try:
            self.answer.read()
        except http.client.HTTPException as error:
            raise Failure(f"a watch broke off: {error!r}") from error


class Http2Watch:
    def __init__(self, cluster):
        self.stream = Http2(cluster.host, cluster.port)
        self.stream.send(frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1,
                               head(MAPS + "?watch=1&fieldSelector=metadata.name%3D"
                                    "kube-root-ca.crt", cluster.token)))
        if not self.stream.take(lambda c: b'"type":"ADDED"' in c.body(1)):
            raise Failure("no first event over HTTP/2")

    def end(self):
        self.stream.take(lambda c: c.ended(1) and c.goaway_code() is not None, 30)
        expect(self.stream.ended(1), True, "the watch over HTTP/2 has an end")
        expect(self.stream.goaway_code(), 0, "GOAWAY without an error")


def slow_list(cluster, said):
    """Reads a large answer so slowly that most of it comes after the signal."""
    connection = cluster.connect(30)
    connection.request("GET", MAPS, headers=cluster.headers())
    answer = connection.getresponse()
    try:
        while data := answer.read(1 << 20):
            said.append(len(data))
            time.sleep(0.15)
    except http.client.HTTPException as error:
        said.append(error)


def what_is_under_way_ends_well():
    with cluster_of("--limit", "shutdown-delay-seconds=2",
                    "--limit", "drain-seconds=20") as (running, cluster):
        client = Client(cluster)
        for i in range(12):
            client.call("POST", MAPS, {"metadata": {"name": f"big-{i}"},
                                       "data": {"k": "x" * 900_000}})
        watches = [Http1Watch(cluster), Http2Watch(cluster)]
        said = []
        reader = threading.Thread(target=slow_list, args=(cluster, said), daemon=True)
        reader.start()
        wait_until("the list begins", lambda: said)
        kubectl = shutil.which("kubectl")
        shown = kubectl and subprocess.Popen(
            [kubectl, "get", "configmaps", "-w", "-o", "name"], stdout=subprocess.PIPE,
            env=running.env | {"KUBECONFIG": str(cluster.kubeconfig)}, text=True)
        if shown:
            shown.stdout.readline()
        running.process.send_signal(signal.SIGTERM)
        wait_until("readyz fails", lambda: ready(cluster)[0] == 500)
        expect_in("[-]shutdown failed", ready(cluster)[1], "readyz says why")
        client.get("/api/v1/namespaces/default")  # still served
        wait_until("new connections are refused", lambda: not connects(cluster))
        for watch in watches:
            watch.end()
        if shown:
            expect(shown.wait(30), 0, "kubectl get -w")
        reader.join(30)
        broken = [one for one in said if not isinstance(one, int)]
        if broken or sum(said) < 12 * 900_000:
            raise Failure(f"the list broke off after {said}")
        expect(running.process.wait(30), 0, "exit code")
        # And a write of the last moment is there after a restart.
        running.start()
        wait_until("the cluster is served again", lambda: connects(cluster))
        Client(cluster).get(f"{MAPS}/big-11")
        running.stop()


def a_second_signal_does_not_wait():
    with cluster_of("--limit", "drain-seconds=300", "--limit",
                    "stall-seconds=300") as (running, cluster):
        client = Client(cluster)
        for i in range(12):
            client.call("POST", MAPS, {"metadata": {"name": f"big-{i}"},
                                       "data": {"k": "x" * 900_000}})
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((cluster.host, cluster.port))
        stalled = ssl._create_unverified_context().wrap_socket(raw)
        stalled.sendall(f"GET {MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {cluster.token}"
                        "\r\n\r\n".encode())
        stalled.recv(1)
        running.process.send_signal(signal.SIGTERM)
        wait_until("new connections are refused", lambda: not connects(cluster))
        expect(running.process.poll(), None, "the first signal waits for the reader")
        running.process.send_signal(signal.SIGTERM)
        expect(running.process.wait(10), 1, "exit code of the second signal")
        running.start()
        wait_until("the cluster is served again", lambda: connects(cluster))
        Client(cluster).get(f"{MAPS}/big-11")
        running.stop()


def clusters_do_not_wait_for_the_aws_endpoint():
    """Somebody holds the AWS endpoint's drain; the clusters refuse new connections meanwhile."""
    with cluster_of("--limit", "drain-seconds=300", "--limit",
                    "stall-seconds=300") as (running, cluster):
        watch = Http1Watch(cluster)
        holder = Http2(running.host, running.port, settings=struct.pack(">HI", 4, 0))
        holder.send(frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1,
                          head("/_keelway/health")))
        if not holder.take(lambda c: c.of(h2.HEADERS, 1)):
            raise Failure("no answer of the AWS endpoint")
        running.process.send_signal(signal.SIGTERM)
        wait_until("new connections are refused", lambda: not connects(cluster))
        watch.end()
        holder.take(lambda c: c.closed, 0.1)
        expect(holder.closed, False, "the AWS endpoint drains meanwhile")
        running.process.send_signal(signal.SIGTERM)
        expect(running.process.wait(10), 1, "exit code of the second signal")


if __name__ == "__main__":
    main([what_is_under_way_ends_well, a_second_signal_does_not_wait,
          clusters_do_not_wait_for_the_aws_endpoint])
