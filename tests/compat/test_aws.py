"""boto3 and the AWS CLI against the door: the operations that are served, with what they change,
and every refusal as the class, code, status and words that the service's model gives it."""
import json
import os
import pathlib
import shutil

from keelway_server import Failure, expect, expect_in, main, python_with, run, server, wait_until

PYTHON = python_with("boto3==1.43.11", "awscli==1.45.11")
AWS = PYTHON.parent / "aws"
CREATE = ["--role-arn", "arn:aws:iam::000000000000:role/eks", "--resources-vpc-config",
          "subnetIds=subnet-00000001,subnet-00000002"]


def test_boto3():
    with server() as running:
        script = pathlib.Path(__file__).with_name("boto3_client.py")
        done = run([PYTHON, script], running.env, check=False)
        print(done.out, end="")
        if done.code != 0:
            raise Failure(f"boto3_client.py: {done.err}")


class Cli:
    def __init__(self, env):
        self.env = env

    def __call__(self, *words):
        out = run([AWS, *words, "--output", "json"], self.env).out
        return json.loads(out) if out.strip() else {}

    def refused(self, what, words, expected):
        done = run([AWS, *words], self.env, check=False)
        expect(done.code, 255, f"{what}: exit code; {done.err}")
        expect_in(expected, done.err, what)


def test_cli():
    with server() as running:
        aws = Cli(running.env)
        expect(aws("sts", "get-caller-identity")["Arn"], "arn:aws:iam::000000000000:root", "who")
        made = aws("eks", "create-cluster", "--name", "cli", *CREATE, "--tags", "a=1")["cluster"]
        expect(made["status"], "CREATING", "create")
        aws("eks", "wait", "cluster-active", "--name", "cli")
        cluster = aws("eks", "describe-cluster", "--name", "cli")["cluster"]
        expect(cluster["status"], "ACTIVE", "describe")
        expect(aws("eks", "list-clusters")["clusters"], ["cli"], "list")
        aws("eks", "tag-resource", "--resource-arn", cluster["arn"], "--tags", "b=2")
        expect(aws("eks", "list-tags-for-resource", "--resource-arn", cluster["arn"])["tags"],
               {"a": "1", "b": "2"}, "tags")
        update = aws("eks", "update-cluster-config", "--name", "cli", "--logging", json.dumps(
            {"clusterLogging": [{"types": ["api"], "enabled": True}]}))["update"]
        wait_until("the update", lambda: aws(
            "eks", "describe-update", "--name", "cli", "--update-id", update["id"])["update"][
                "status"] == "Successful", 20)
        aws.refused("unknown cluster", ["eks", "describe-cluster", "--name", "nobody"],
                    "An error occurred (ResourceNotFoundException) when calling the "
                    "DescribeCluster operation: No cluster found for name: nobody.")
        aws.refused("name taken", ["eks", "create-cluster", "--name", "cli", *CREATE],
                    "An error occurred (ResourceInUseException) when calling the CreateCluster "
                    "operation: Cluster already exists with name: cli")
        aws.refused("unsigned", ["eks", "list-clusters", "--no-sign-request"],
                    "(MissingAuthenticationTokenException)")
        aws.refused("operation without effect", ["eks", "list-addons", "--cluster-name", "cli"],
                    "The operation ListAddons of the service eks is not implemented")
        aws.refused("service that is not there", ["iam", "list-users"],
                    "The operation ListUsers of the service iam is not implemented")
        aws("eks", "delete-cluster", "--name", "cli")
        aws("eks", "wait", "cluster-deleted", "--name", "cli")
        expect(aws("eks", "list-clusters")["clusters"], [], "list after deletion")


def test_kubectl_by_get_token():
    if shutil.which("kubectl") is None:
        print("      kubectl is not on PATH: update-kubeconfig is not tried")
        return
    with server() as running:
        running.keelway("cluster", "create", "one")
        running.keelway("cluster", "create", "two")
        file = running.home / "from-aws"
        env = {**running.env, "PATH": f"{AWS.parent}{os.pathsep}{running.env['PATH']}",
               "KUBECONFIG": str(file)}
        run([AWS, "eks", "update-kubeconfig", "--name", "one", "--kubeconfig", file], env)
        expect_in("namespace/default", run(["kubectl", "get", "ns", "-o", "name"], env).out,
                  "with the endpoint in the environment")
        real = {k: v for k, v in env.items() if k != "AWS_ENDPOINT_URL"}
        token = json.loads(run([AWS, "eks", "get-token", "--cluster-name", "one"], real).out)
        expect(token["status"]["token"].startswith("k8s-aws-v1."), True, "a token")
        expect_in("namespace/default", run(["kubectl", "get", "ns", "-o", "name"], real).out,
                  "with a token for the real STS")
        for which in (env, real):
            other = json.loads(run([AWS, "eks", "get-token", "--cluster-name", "two"], which).out)
            bare = running.home / "bare"
            bare.write_text("apiVersion: v1\nkind: Config\n")
            done = run(["kubectl", "--kubeconfig", bare, "--server", server_of(running, "one"),
                        "--insecure-skip-tls-verify", "--token", other["status"]["token"],
                        "get", "ns"], which, check=False)
            expect(done.code, 1, "the token of another cluster")
            expect_in("Unauthorized", done.err + done.out, "the token of another cluster")


def server_of(running, name):
    return json.loads(run([AWS, "eks", "describe-cluster", "--name", name], running.env).out)[
        "cluster"]["endpoint"]


if __name__ == "__main__":
    main([test_boto3, test_cli, test_kubectl_by_get_token])
