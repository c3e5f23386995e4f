"""Terraform's AWS provider, set up by the environment alone: a cluster is made, planned again
without a change, changed in place and destroyed. None of the provider's checks is skipped."""
import base64
import glob
import json
import os
import shutil
import ssl
import urllib.request

from keelway_server import Failure, expect, expect_in, main, run, server, skip

MAIN = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.80" }
  }
}
provider "aws" {
  region = "us-east-1"
}
variable "stage" { default = "first" }
resource "aws_eks_cluster" "this" {
  name     = "from-terraform"
  role_arn = "arn:aws:iam::000000000000:role/eks"
  version  = "1.33"
  access_config { authentication_mode = "API_AND_CONFIG_MAP" }
  enabled_cluster_log_types = ["api", "audit"]
  kubernetes_network_config { service_ipv4_cidr = "172.20.0.0/16" }
  vpc_config {
    subnet_ids              = ["subnet-00000001", "subnet-00000002"]
    endpoint_private_access = true
  }
  tags = { stage = var.stage }
}
data "aws_caller_identity" "me" {}
data "aws_eks_cluster" "this" { name = aws_eks_cluster.this.name }
data "aws_eks_cluster_auth" "this" { name = aws_eks_cluster.this.name }
output "endpoint" { value = data.aws_eks_cluster.this.endpoint }
output "arn" { value = aws_eks_cluster.this.arn }
output "caller" { value = data.aws_caller_identity.me.arn }
output "stage" { value = data.aws_eks_cluster.this.tags["stage"] }
"""
HOST = "registry.terraform.io"
# Where provider mirrors lie, beside the one that KEELWAY_TF_MIRROR names.
PLACES = ["/usr/share/terraform/providers", "/usr/local/share/terraform/*", "/opt/*",
          os.path.expanduser("~/.terraform.d/*"), os.path.expanduser("~/.local/share/terraform/*")]


def mirror():
    named = os.environ.get("KEELWAY_TF_MIRROR")
    places = [named] if named else [one for place in PLACES for one in sorted(glob.glob(place))]
    for place in places:
        if glob.glob(f"{place}/{HOST}/hashicorp/aws/*"):
            return place
    return None


class Terraform:
    def __init__(self, running, plugins):
        self.folder = running.home / "terraform"
        self.folder.mkdir()
        (self.folder / "main.tf").write_text(MAIN)
        settings = running.home / "terraform.rc"
        settings.write_text("provider_installation {\n  filesystem_mirror { path = "
                            f"{json.dumps(str(plugins))} }}\n}}\n")
        self.env = {**running.env, "TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1",
                    "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}

    def __call__(self, *words, code=0):
        done = run(["terraform", f"-chdir={self.folder}", *words], self.env, check=False,
                   seconds=240)
        if done.code != code:
            raise Failure(f"terraform {' '.join(words)}: exit {done.code}, not {code}\n"
                          f"{done.out}{done.err}")
        expect("k8s-aws-v1" in done.out + done.err, False, "a token in Terraform's output")
        return done.out

    def outputs(self):
        return {k: v["value"] for k, v in json.loads(self("output", "-json")).items()}

    def state(self, kind, name):
        state = json.loads((self.folder / "terraform.tfstate").read_text())
        return next(r["instances"][0]["attributes"] for r in state["resources"]
                    if (r["type"], r["name"], r["mode"]) == (kind, name, "data"))


def namespaces(endpoint, authority, token):
    request = urllib.request.Request(f"{endpoint}/api/v1/namespaces",
                                     headers={"Authorization": f"Bearer {token}"})
    context = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        return [one["metadata"]["name"] for one in json.load(answer)["items"]]


def test_terraform():
    plugins = mirror()
    with server() as running:
        terraform = Terraform(running, plugins)
        terraform("init")
        terraform("apply", "-auto-approve")
        made = terraform.outputs()
        expect(made["arn"], "arn:aws:eks:us-east-1:000000000000:cluster/from-terraform", "ARN")
        expect(made["caller"], "arn:aws:iam::000000000000:root", "caller")
        auth = terraform.state("aws_eks_cluster_auth", "this")
        cluster = terraform.state("aws_eks_cluster", "this")
        authority = cluster["certificate_authority"][0]["data"]
        expect_in("default", namespaces(made["endpoint"], authority, auth["token"]),
                  "the provider's token opens the cluster")
        terraform("plan", "-detailed-exitcode", code=0)
        planned = terraform("plan", "-detailed-exitcode", "-var", "stage=second", code=2)
        expect_in("0 to add, 1 to change, 0 to destroy", planned, "a tag changes in place")
        terraform("apply", "-auto-approve", "-var", "stage=second")
        expect(terraform.outputs(), {**made, "stage": "second"}, "after the change")
        # The provider waits up to a minute, at random, before it deletes a cluster.
        terraform("destroy", "-auto-approve")
        listed = json.loads(running.keelway("cluster", "list", "-o", "json").out)
        expect(listed, [], "clusters after destroy")


if __name__ == "__main__":
    if shutil.which("terraform") is None:
        skip("terraform is not on PATH")
    if mirror() is None:
        skip(f"no folder {HOST} with hashicorp/aws: name its parent in KEELWAY_TF_MIRROR")
    main([test_terraform])
