"""A throw-away Keelway for tests with real clients: started for real, on a free port, in a world
of its own (no profile, endpoint, proxy or credentials of the caller is seen)."""
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("KEELWAY_BINARY", ROOT / "build/release/keelway"))


class Failure(Exception):
    """A test's own message; printed without a traceback."""


def clean_environment(home):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("AWS_", "KUBE")) and "proxy" not in k.lower()}
    env.update(HOME=str(home), AWS_CONFIG_FILE=str(home / "aws-config"),
               AWS_SHARED_CREDENTIALS_FILE=str(home / "aws-credentials"),
               AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="", KUBECONFIG=str(home / "kubeconfig"))
    return env


class Server:
    """Starts `keelway up`; stop() ends it with SIGTERM, kill() with SIGKILL; start() again keeps
    data and port."""

    def __init__(self, *options, host="127.0.0.1"):
        self.host = host
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="keelway-test-"))
        self.data = self.home / "data"
        self.options = options
        self.port = 0
        self.process = None
        self.env = clean_environment(self.home)

    def start(self, seconds=20):
        log = open(self.home / "log", "a")
        self.process = subprocess.Popen(
            [BINARY, "up", "--data", self.data, "--listen", f"{self.host}:{self.port}",
             *self.options], stdout=subprocess.PIPE, stderr=log, text=True, env=self.env)
        self.wait_for_ready(seconds)
        credentials = json.loads((self.data / "credentials.json").read_text())
        self.port = credentials["port"]
        self.endpoint = f"http://{self.host}:{self.port}"
        self.access_key = credentials["accessKeyId"]
        self.secret_key = credentials["secretAccessKey"]
        self.env.update(AWS_ENDPOINT_URL=self.endpoint, AWS_ACCESS_KEY_ID=self.access_key,
                        AWS_SECRET_ACCESS_KEY=self.secret_key, AWS_REGION="us-east-1",
                        AWS_DEFAULT_REGION="us-east-1", KEELWAY_DATA=str(self.data))
        return self

    def wait_for_ready(self, seconds):
        said, deadline = b"", time.monotonic() + seconds
        while b"is ready" not in said:
            waits = max(0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], waits)[0]:
                self.kill()
                raise Failure(f"keelway up is not ready after {seconds} s: {self.log()}")
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                raise Failure(f"keelway up ended: {self.log()}")
            said += more

    def log(self):
        return (self.home / "log").read_text()[-4000:]

    def stop(self):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(30)
            if code != 0:
                raise Failure(f"keelway up exited with {code} after SIGTERM: {self.log()}")
        elif self.process.returncode not in (0, -signal.SIGKILL):
            raise Failure(f"keelway up ended by itself, with {self.process.returncode}: "
                          f"{self.log()}")

    def kill(self):
        if self.process.poll() is not None:
            raise Failure(f"keelway up ended by itself, with {self.process.returncode}: "
                          f"{self.log()}")
        self.process.kill()
        self.process.wait()

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def keelway(self, *arguments, check=True):
        return run([BINARY, *arguments], self.env, check=check)

    def create_cluster(self, name, version=None):
        options = ["--version", version] if version else []
        self.keelway("cluster", "create", name, *options)
        path = self.home / f"kubeconfig-{name}"
        self.keelway("cluster", "kubeconfig", name, "--file", path)
        return path


@contextlib.contextmanager
def server(*options):
    running = Server(*options)
    try:
        running.start()
        yield running
        running.stop()
    except BaseException:
        print("--- server log ---\n" + running.log())
        raise
    finally:
        running.remove()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def run(command, env, check=True, stdin=None, seconds=120):
    done = subprocess.run([str(c) for c in command], env=env, input=stdin, capture_output=True,
                          text=True, timeout=seconds)
    if check and done.returncode != 0:
        words = " ".join(str(c) for c in command)
        raise Failure(f"{words}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return Result(done.returncode, done.stdout, done.stderr)


def wait_until(what, condition, seconds=60):
    """Polls; a condition that raises Failure counts as not yet."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(Failure):
            value = condition()
            if value:
                return value
        if time.monotonic() > end:
            raise Failure(f"gave up after {seconds} s: {what}")
        time.sleep(0.05)


def expect(actual, expected, what):
    if actual != expected:
        raise Failure(f"{what}\nexpected: {expected!r}\n     got: {actual!r}")


def expect_in(part, text, what):
    if part not in text:
        raise Failure(f"{what}\nexpected to find: {part!r}\n             in: {text!r}")


def skip(why):
    """ctest reads this exit code as a skip; the reason is printed."""
    print(f"SKIP: {why}")
    raise SystemExit(77)


def cache_folder():
    """Where tools that tests build or download stay from run to run: $KEELWAY_TEST_CACHE, else
    the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(os.environ.get("KEELWAY_TEST_CACHE") or
                          pathlib.Path(home) / "keelway-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def python_with(*packages):
    """The interpreter of a virtual environment that holds the packages, from PyPI."""
    folder = cache_folder() / "venv"
    python = folder / "bin/python"
    stamp = folder / "packages"
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        subprocess.run(["python3", "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                        *packages], check=True)
        stamp.write_text(" ".join(packages))
    return python


def main(tests):
    """Runs functions in order, each printed; stops at nothing, exits 1 if one failed."""
    failed = 0
    for test in tests:
        started = time.monotonic()
        try:
            test()
            print(f"ok    {test.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
        except Failure as failure:
            failed += 1
            print(f"FAIL  {test.__name__}: {failure}", flush=True)
    raise SystemExit(1 if failed else 0)
