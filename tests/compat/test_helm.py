"""Helm, built from its published module: install, upgrade, rollback, history, uninstall of a chart
with a CRD, an object of it, a Deployment, a Service and a ConfigMap; a failed install; hooks."""
import json
import os
import shutil

from keelway_server import (Failure, cache_folder, expect, expect_in, main, run, server, skip)

MODULE = "helm.sh/helm/v3/cmd/helm"
VERSION = "v3.22.0"

CHART = """apiVersion: v2
name: greeter
version: {version}
appVersion: "{version}"
"""
VALUES = """replicas: 2
greeting: hello
"""
CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: greetings.example.dev
spec:
  group: example.dev
  scope: Namespaced
  names: {kind: Greeting, plural: greetings, singular: greeting, listKind: GreetingList}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [text]
              properties:
                text: {type: string, minLength: 1}
                times: {type: integer, default: 3}
            status:
              type: object
              x-kubernetes-preserve-unknown-fields: true
"""
TEMPLATES = {
    "objects.yaml": """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-config
data:
  greeting: {{ .Values.greeting | quote }}
  kube: {{ .Capabilities.KubeVersion.Version | quote }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: example.dev/v1
kind: Greeting
metadata:
  name: {{ .Release.Name }}
spec:
  text: {{ .Values.greeting }}
""",
    "deployment.yaml": """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
      annotations: {greeting: {{ .Values.greeting | quote }}}
    spec:
      containers:
        - name: c
          image: registry.k8s.io/pause:3.9
          resources: {requests: {cpu: 100m}}
""",
    "hook.yaml": """apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-before
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
    hollow.keelway.dev/run-seconds: "1"
spec:
  restartPolicy: Never
  containers: [{name: c, image: registry.k8s.io/pause:3.9}]
""",
}


def build_helm():
    target = cache_folder() / "bin" / "helm"
    stamp = cache_folder() / "bin" / "helm.version"
    if not target.exists() or not stamp.exists() or stamp.read_text() != VERSION:
        if not shutil.which("go"):
            skip("go is not installed, and helm is built from its module")
        env = dict(os.environ, GOFLAGS="-mod=mod", GOMODCACHE=str(cache_folder() / "gomod"),
                   GOBIN=str(cache_folder() / "bin"))
        done = run(["go", "install", "-p", "2", f"{MODULE}@{VERSION}"], env, check=False,
                   seconds=800)
        if done.code != 0:
            skip(f"helm {VERSION} cannot be built here: {done.err[-300:]}")
        stamp.write_text(VERSION)
    return target


HELM = build_helm()


def write_chart(folder, version):
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "crds").mkdir(exist_ok=True)
    (folder / "Chart.yaml").write_text(CHART.format(version=version))
    (folder / "values.yaml").write_text(VALUES)
    (folder / "crds/greetings.yaml").write_text(CRD)
    for name, text in TEMPLATES.items():
        (folder / "templates" / name).write_text(text)
    return folder


class Release:
    """helm and kubectl in one namespace of one cluster."""

    def __init__(self, running):
        running.env["KUBECONFIG"] = str(running.create_cluster("helm"))
        self.env = running.env
        self.chart = write_chart(running.home / "greeter", "1.0.0")

    def helm(self, *arguments, check=True):
        return run([HELM, *arguments, "--namespace", "greetings"], self.env, check=check)

    def get(self, kind, name):
        done = run(["kubectl", "get", kind, name, "-n", "greetings", "-o", "json"], self.env)
        return json.loads(done.out)

    def names(self, kinds):
        done = run(["kubectl", "get", kinds, "-n", "greetings", "-o", "name"], self.env)
        return done.out.split()

    def expect_state(self, replicas, greeting):
        deployment = self.get("deployment", "hi")
        expect(deployment["status"].get("readyReplicas"), replicas, "replicas after --wait")
        expect(self.get("configmap", "hi-config")["data"]["greeting"], greeting, "the ConfigMap")
        greeted = self.get("greeting", "hi")
        expect(greeted["spec"], {"text": greeting, "times": 3}, "the custom object, defaulted")


def a_release_lives_through_its_life():
    with server() as running:
        release = Release(running)
        out = release.helm("install", "hi", release.chart, "--create-namespace", "--wait",
                           "--timeout", "60s").out
        expect_in("STATUS: deployed", out, "helm install")
        release.expect_state(2, "hello")
        expect(release.get("configmap", "hi-config")["data"]["kube"][:5], "v1.33",
               "the version that the chart saw")
        expect(release.get("service", "hi")["spec"]["ports"][0]["port"], 80, "the Service")
        expect(release.get("pod", "hi-before")["status"]["phase"], "Succeeded", "the hook's Pod")

        write_chart(release.chart, "1.1.0")
        release.helm("upgrade", "hi", release.chart, "--set", "replicas=3,greeting=goodbye",
                     "--wait", "--timeout", "60s")
        release.expect_state(3, "goodbye")
        release.helm("rollback", "hi", "1", "--wait", "--timeout", "60s")
        release.expect_state(2, "hello")

        history = json.loads(release.helm("history", "hi", "-o", "json").out)
        expect([(h["revision"], h["status"], h["chart"]) for h in history],
               [(1, "superseded", "greeter-1.0.0"), (2, "superseded", "greeter-1.1.0"),
                (3, "deployed", "greeter-1.0.0")], "helm history")
        expect_in("text: hello", release.helm("get", "manifest", "hi").out, "helm get manifest")
        listed = json.loads(release.helm("list", "-o", "json").out)
        expect([(r["name"], r["status"]) for r in listed], [("hi", "deployed")], "helm list")

        release.helm("uninstall", "hi", "--wait", "--timeout", "60s")
        expect(release.names("deployments,services,greetings,pods"), ["pod/hi-before"],
               "what uninstall left: only the hook's object, which helm does not own")
        expect_in("greetings.example.dev", run(
            ["kubectl", "get", "crd", "greetings.example.dev", "-o", "name"], release.env).out,
            "helm never removes a CRD")


def a_refused_chart_leaves_its_reason():
    with server() as running:
        release = Release(running)
        failed = release.helm("install", "hi", release.chart, "--create-namespace", "--wait",
                              "--set", "greeting=", "--timeout", "30s", check=False)
        if failed.code == 0:
            raise Failure("a Greeting without text was accepted")
        expect_in("spec.text", failed.err, "the field that the CRD refuses")
        status = json.loads(release.helm("status", "hi", "-o", "json").out)
        expect(status["info"]["status"], "failed", "the release's status")
        again = release.helm("upgrade", "--install", "--reset-values", "hi", release.chart,
                             "--wait", "--timeout", "60s").out
        expect_in("STATUS: deployed", again, "helm upgrade after a failed install")
        release.expect_state(2, "hello")


def an_atomic_upgrade_goes_back():
    """A pod that fits nowhere: --wait gives up, --atomic puts the old release back."""
    with server() as running:
        release = Release(running)
        release.helm("install", "hi", release.chart, "--create-namespace", "--wait", "--timeout",
                     "60s")
        template = release.chart / "templates/deployment.yaml"
        template.write_text(template.read_text().replace("cpu: 100m", "cpu: 5000"))
        failed = release.helm("upgrade", "hi", release.chart, "--atomic", "--timeout", "4s",
                              check=False)
        if failed.code == 0:
            raise Failure("helm waited for a pod of 5000 CPUs, and it ran")
        history = json.loads(release.helm("history", "hi", "-o", "json").out)
        expect([h["status"] for h in history], ["superseded", "failed", "deployed"],
               f"helm history after an atomic upgrade that failed: {failed.err}")
        release.expect_state(2, "hello")


main([a_release_lives_through_its_life, a_refused_chart_leaves_its_reason,
      an_atomic_upgrade_goes_back])
