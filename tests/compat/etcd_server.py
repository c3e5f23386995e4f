"""A throw-away etcd of one member for tests: a fresh data folder, free ports of the loopback."""
import contextlib
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from keelway_server import Failure, skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Etcd:
    def __init__(self, *options):
        self.program = shutil.which("etcd")
        if not self.program:
            skip("etcd is not installed (Debian: etcd-server)")
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="keelway-etcd-"))
        self.port, peer = free_port(), free_port()
        client, other = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        self.log = open(self.home / "log", "w")
        self.process = subprocess.Popen(
            [self.program, "--data-dir", self.home / "data", "--listen-client-urls", client,
             "--advertise-client-urls", client, "--listen-peer-urls", other,
             "--initial-advertise-peer-urls", other, "--initial-cluster", f"default={other}",
             "--logger", "zap", *options], stdout=self.log, stderr=self.log)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Failure((self.home / "log").read_text()[-2000:]) from None
                time.sleep(0.02)

    def url(self, prefix=""):
        return f"etcd://127.0.0.1:{self.port}{prefix}"

    def remove(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


@contextlib.contextmanager
def etcd(*options):
    running = Etcd(*options)
    try:
        yield running
    finally:
        running.remove()
