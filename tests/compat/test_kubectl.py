"""kubectl of every minor that is at hand, each against a cluster of its own: the transcripts in
kubectl/ say what every command must print."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess

import keelway_server as keelway
import transcript

TRANSCRIPTS = sorted((pathlib.Path(__file__).parent / "kubectl").glob("*.txt"))
MINORS = range(27, 34)
MODULES = ("v0.27.3", "v0.30.14", "v0.33.4")  # built where fewer than three are installed
MAIN = """package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() { util.CheckErr(cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand())) }
"""


def minor_of(binary):
    done = subprocess.run([binary, "version", "--client", "-o", "json"], capture_output=True,
                          text=True)
    found = re.search(r'"minor": "(\d+)', done.stdout)
    return int(found[1]) if found else None


def installed():
    """{minor: path} of those on PATH and beside the real file behind it."""
    found = {}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = pathlib.Path(folder) / "kubectl"
        if not path.is_file():
            continue
        beside = path.resolve().parent
        candidates = [path, *(beside / f"kubectl.1.{minor}" for minor in MINORS)]
        for candidate in candidates:
            minor = minor_of(candidate) if candidate.is_file() else None
            if minor in MINORS:
                # A binary that is one version is better than one that may start another.
                if minor not in found or "kubectl.1." in candidate.name:
                    found[minor] = candidate
    return found


def built(version):
    """kubectl from its published Go module, kept from run to run."""
    folder = keelway.cache_folder() / f"kubectl-{version}"
    binary = folder / "kubectl"
    if binary.exists():
        return binary
    folder.mkdir(exist_ok=True)
    (folder / "main.go").write_text(MAIN)
    (folder / "go.mod").write_text("module kubectl.example\n\ngo 1.20\n")
    stamp = f"-X k8s.io/client-go/pkg/version.gitVersion={version} " \
            f"-X k8s.io/component-base/version.gitVersion=v1{version[2:]} " \
            f"-X k8s.io/component-base/version.gitMajor=1 " \
            f"-X k8s.io/component-base/version.gitMinor={version.split('.')[1]}"
    for command in (["go", "get", f"k8s.io/kubectl@{version}"], ["go", "mod", "tidy"],
                    ["go", "build", "-ldflags", stamp, "-o", "kubectl", "."]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"SKIP: kubectl {version}: {' '.join(command[:2])}: {done.stderr[-400:]}")
            return None
    return binary


def find_clients():
    clients = installed()
    if len(clients) >= 3:
        return clients
    if shutil.which("go") is None:
        print("SKIP: building kubectl of more minors: go is not installed")
    else:
        for version in MODULES:
            minor = int(version.split(".")[1])
            binary = clients.get(minor) or built(version)
            if binary:
                clients[minor] = binary
    return clients or keelway.skip("no kubectl of 1.27 to 1.33 is installed")


def play(server, minor, binary):
    """All transcripts with one client, in a cluster, home and folder of its own."""
    folder = server.home / f"kubectl-1.{minor}"
    folder.mkdir()
    env = dict(server.env, HOME=str(folder), KUBE_EDITOR="sed -i s/blue/brown/", TERM="dumb",
               KUBECTL_EXTERNAL_DIFF="diff -u", LANG="C.UTF-8", KUBECONFIG=str(server.create_cluster(f"k1-{minor}")))
    failures = []
    for path in TRANSCRIPTS:
        name = path.stem.split("-", 1)[-1]
        keelway.run([binary, "create", "namespace", name], env)
        session = transcript.Session([binary, "-n", name], env, folder, minor)
        try:
            session.play(path)
        except keelway.Failure as failure:
            failures.append(str(failure))
    if failures:
        raise keelway.Failure("\n".join(failures))


def test_of(minor, future):
    def test():
        future.result()
    test.__name__ = f"kubectl_1_{minor}"
    return test


def play_all():
    clients = sorted(find_clients().items())
    with keelway.server() as server, concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = [(minor, pool.submit(play, server, minor, binary)) for minor, binary in clients]
        concurrent.futures.wait([future for _, future in futures])
    return [test_of(minor, future) for minor, future in futures]


if __name__ == "__main__":
    keelway.main(play_all())
