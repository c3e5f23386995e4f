"""Karpenter's published examples: applied unchanged, Ready, and a pod for each pool runs on a node
that meets the pool's requirements.

The examples come from Karpenter's own Go module and are never copied into this repository.
What cannot be had, and what upstream would not do either, is asserted here:
- windows-custom-userdata.yaml names the node class's group as "karpenter.k8s.aws/v1", which
  Karpenter's own CRD refuses (a group holds no slash). We refuse that NodePool the same way.
- The catalogue offers no Windows machines. A pool for Windows is accepted and becomes Ready; a pod
  for it stays Pending, with an event that names the pool.
- Selectors, roles and images of an EC2NodeClass are accepted and not resolved, so ${CLUSTER_NAME}
  in them does no harm.
"""
import json
import os
import shutil
import zipfile

from keelway_server import (Failure, cache_folder, expect, expect_in, main, run, server, skip)
from raw_client import Client, Cluster, condition_is

MODULE = "github.com/aws/karpenter-provider-aws"
VERSION = "v1.15.1"
POOLS = "/apis/karpenter.sh/v1/nodepools"
CLASSES = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses"
PODS = "/api/v1/namespaces/default/pods"
REFUSED_UPSTREAM = {"windows-custom-userdata.yaml"}


def fetch_examples():
    """File name -> text, for all of examples/v1 of the published module."""
    if not shutil.which("go"):
        skip("go is not installed; Karpenter's examples come from its Go module")
    env = dict(os.environ, GOFLAGS="-mod=mod", GOMODCACHE=str(cache_folder() / "gomod"))
    # Exits 1 where the module asks for a newer Go; the zip is there all the same.
    done = run(["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"], env, check=False)
    archive = json.loads(done.out).get("Zip") if done.out else None
    if not archive:
        skip(f"{MODULE}@{VERSION} cannot be had from the Go module proxy: {done.err or done.out}")
    prefix = f"{MODULE}@{VERSION}/examples/v1/"
    with zipfile.ZipFile(archive) as module:
        return {name[len(prefix):]: module.read(name).decode() for name in module.namelist()
                if name.startswith(prefix) and name.endswith(".yaml")}


EXAMPLES = fetch_examples()


def satisfies(labels, requirement):
    key, operator = requirement["key"], requirement["operator"]
    values, has = requirement.get("values", []), labels.get(requirement["key"])
    if operator == "In":
        return has in values
    if operator == "NotIn":
        return has not in values
    if operator == "Exists":
        return has is not None
    if operator == "DoesNotExist":
        return has is None
    if operator == "Gt":
        return has is not None and int(has) > int(values[0])
    if operator == "Lt":
        return has is not None and int(has) < int(values[0])
    raise Failure(f"this test does not know operator {operator} of {key}")


def pod_for(pool):
    requests = {"cpu": "100m", "memory": "64Mi"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"for-{pool}"},
            "spec": {"nodeSelector": {"karpenter.sh/nodepool": pool},
                     "containers": [{"name": "c", "image": "registry.k8s.io/pause:3.9",
                                     "resources": {"requests": requests}}]}}


def check_flexibility(client, node, requirements):
    """minValues: the claim of the node keeps at least that many choices of a key."""
    claim = next(c for c in client.items("/apis/karpenter.sh/v1/nodeclaims")
                 if c["status"].get("nodeName") == node)
    types = next(r["values"] for r in claim["spec"]["requirements"]
                 if r["key"] == "node.kubernetes.io/instance-type")
    of_key = {"node.kubernetes.io/instance-type": lambda t: t,
              "karpenter.k8s.aws/instance-family": lambda t: t.split(".")[0],
              "karpenter.k8s.aws/instance-category": lambda t: t[0]}
    for requirement in requirements:
        if "minValues" in requirement:
            choices = {of_key[requirement["key"]](t) for t in types}
            if len(choices) < requirement["minValues"]:
                raise Failure(f"{requirement} leaves the claim only {sorted(choices)}")


def check_pool(client, name):
    """A pod for the pool runs on a node within the pool's requirements, or, for Windows, waits."""
    pool = client.get(f"{POOLS}/{name}")
    requirements = pool["spec"]["template"]["spec"]["requirements"]
    client.call("POST", PODS, pod_for(name))
    pod_path = f"{PODS}/for-{name}"
    if any(r["key"] == "kubernetes.io/os" and r["values"] == ["windows"] for r in requirements):
        events = "/api/v1/namespaces/default/events?fieldSelector=reason=FailedScheduling"
        client.wait(f"an event that says why no node comes for {name}", events, lambda found: any(
            e["involvedObject"]["name"] == f"for-{name}" and f'"{name}"' in e["message"]
            for e in found["items"]), 10)
        expect(client.get(pod_path)["status"]["phase"], "Pending", f"a pod for {name}")
    else:
        pod = client.wait(f"the pod for {name} to run", pod_path,
                          lambda found: found["status"].get("phase") == "Running", 20)
        node = client.get(f"/api/v1/nodes/{pod['spec']['nodeName']}")
        labels = node["metadata"]["labels"]
        expect(labels.get("karpenter.sh/nodepool"), name, "the pool of the pod's node")
        for requirement in requirements:
            if not satisfies(labels, requirement):
                raise Failure(f"node of {name} breaks {requirement}: {labels}")
        check_flexibility(client, node["metadata"]["name"], requirements)
    client.call("DELETE", f"{pod_path}?gracePeriodSeconds=0")


def check_example(running, client, name, text):
    applied = run(["kubectl", "apply", "-f", "-", "-o", "name"], running.env, check=False,
                  stdin=text)
    if name in REFUSED_UPSTREAM:
        expect_in("nodeClassRef.group", applied.err, f"{name} is refused for its group")
        expect_in("'^[^/]*$'", applied.err, f"{name} is refused with the CRD's own pattern")
    else:
        expect(applied.code, 0, f"kubectl apply of {name}: {applied.err}")
    pools = []
    for line in applied.out.split():
        kind, _, object_name = line.partition("/")
        is_pool = kind.startswith("nodepool")
        path = f"{POOLS if is_pool else CLASSES}/{object_name}"
        client.wait(f"{line} of {name} to be Ready", path, condition_is("Ready", "True"), 10)
        if is_pool:
            pools.append(object_name)
    for pool in pools:
        check_pool(client, pool)
    run(["kubectl", "delete", "--ignore-not-found", "-f", "-"], running.env, stdin=text)
    client.wait(f"the nodes of {name} to go with their pools", "/api/v1/nodes",
                lambda found: not found["items"], 20)


def published_examples_work_unchanged():
    if len(EXAMPLES) < 20:
        raise Failure(f"only {sorted(EXAMPLES)} in examples/v1 of {MODULE}@{VERSION}")
    with server("--pools", "none") as running:
        kubeconfig = running.create_cluster("examples")
        running.env["KUBECONFIG"] = str(kubeconfig)
        client = Client(Cluster(running, "examples", kubeconfig))
        for name, text in sorted(EXAMPLES.items()):
            check_example(running, client, name, text)


def a_pool_limit_holds():
    """100-cpu-limit.yaml: pods for more than 100 CPUs do not make nodes of more than 100 CPUs."""
    text = EXAMPLES["100-cpu-limit.yaml"]
    with server("--pools", "none") as running:
        kubeconfig = running.create_cluster("limit")
        running.env["KUBECONFIG"] = str(kubeconfig)
        client = Client(Cluster(running, "limit", kubeconfig))
        run(["kubectl", "apply", "-f", "-"], running.env, stdin=text)
        pool = f"{POOLS}/limitcpu100"
        client.wait("the pool to be Ready", pool, condition_is("Ready", "True"), 10)
        pod = pod_for("limitcpu100")
        pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "3"
        for number in range(60):
            pod["metadata"]["name"] = f"p{number}"
            client.call("POST", PODS, pod)

        def phases(found):
            return [p["status"].get("phase") for p in found["items"]]
        client.wait("most pods that fit in 100 CPUs to run", PODS,
                    lambda found: phases(found).count("Running") >= 20, 30)
        client.wait("an event for those that do not fit",
                    "/api/v1/namespaces/default/events?fieldSelector=reason=FailedScheduling",
                    lambda found: any("limits" in e["message"] for e in found["items"]), 10)
        nodes = client.items("/api/v1/nodes")
        cpus = sum(int(n["status"]["capacity"]["cpu"]) for n in nodes)
        if not 60 <= cpus <= 100:
            raise Failure(f"{len(nodes)} nodes of {cpus} CPUs under a limit of 100")
        if "Pending" not in phases(client.get(PODS)):
            raise Failure("60 pods of 3 CPUs cannot all fit in 100 CPUs")


main([published_examples_work_unchanged, a_pool_limit_holds])
