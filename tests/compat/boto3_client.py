"""What boto3 sees of a server. Run by test_aws.py inside the virtual environment that holds boto3,
with the server's environment."""
import base64
import contextlib
import datetime
import json
import re
import ssl
import urllib.error
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions

from keelway_server import Failure, expect, expect_in, main, wait_until

ROLE = "arn:aws:iam::000000000000:role/eks"
VPC = {"subnetIds": ["subnet-00000001", "subnet-00000002"]}
KEY = boto3.Session().get_credentials().get_frozen_credentials()


def client(service, **changes):
    settings = botocore.config.Config(retries={"total_max_attempts": 1})
    return boto3.client(service, config=settings, **changes)


eks = client("eks")


def refused(what, call, code, status, part, exception=None):
    """The call fails with the code, HTTP status and a message that holds the part; `exception` is
    the class that the service's model gives it."""
    try:
        call()
    except botocore.exceptions.ClientError as error:
        answer = error.response
        expect((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]),
               (code, status), what)
        expect_in(part, answer["Error"]["Message"], what)
        expect(bool(answer["ResponseMetadata"].get("RequestId")), True, f"{what}: a request id")
        expected = exception or botocore.exceptions.ClientError
        expect(type(error), expected, f"{what}: class")
        return answer
    raise Failure(f"{what}: it was not refused")


def create(name, **more):
    return eks.create_cluster(name=name, roleArn=ROLE, resourcesVpcConfig=VPC, **more)["cluster"]


def create_and_wait(name, **more):
    create(name, **more)
    eks.get_waiter("cluster_active").wait(name=name, WaiterConfig={"Delay": 1})
    return eks.describe_cluster(name=name)["cluster"]


def test_caller_identity():
    me = client("sts").get_caller_identity()
    expect((me["Account"], me["Arn"], me["UserId"]),
           ("000000000000", "arn:aws:iam::000000000000:root", "000000000000"), "root is itself")


def test_cluster_life():
    made = create("life", version="1.33", tags={"team": "blue"},
                  kubernetesNetworkConfig={"serviceIpv4Cidr": "172.20.0.0/16"})
    expect((made["name"], made["status"], made["version"]), ("life", "CREATING", "1.33"), "create")
    expect(made["arn"], "arn:aws:eks:us-east-1:000000000000:cluster/life", "ARN")
    age = datetime.datetime.now(datetime.timezone.utc) - made["createdAt"]
    expect(abs(age.total_seconds()) < 60, True, f"createdAt is now, not {made['createdAt']}")
    eks.get_waiter("cluster_active").wait(name="life", WaiterConfig={"Delay": 1})
    cluster = eks.describe_cluster(name="life")["cluster"]
    expect(cluster["status"], "ACTIVE", "status")
    expect(bool(re.fullmatch(r"https://127\.0\.0\.1:\d+", cluster["endpoint"])), True, "endpoint")
    expect(cluster["tags"], {"team": "blue"}, "tags")
    expect(cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"], "172.20.0.0/16", "service CIDR")
    expect(cluster["resourcesVpcConfig"]["subnetIds"], VPC["subnetIds"], "subnets")
    expect(cluster["health"]["issues"], [], "health")
    expect_in("https://", cluster["identity"]["oidc"]["issuer"], "issuer")
    gone = eks.delete_cluster(name="life")["cluster"]
    expect(gone["status"], "DELETING", "delete answers the cluster")
    eks.get_waiter("cluster_deleted").wait(name="life", WaiterConfig={"Delay": 1})
    refused("after deletion", lambda: eks.describe_cluster(name="life"),
            "ResourceNotFoundException", 404, "No cluster found for name: life.",
            eks.exceptions.ResourceNotFoundException)


def test_defaults():
    cluster = create_and_wait("plain")
    default = eks.describe_cluster_versions(defaultOnly=True)["clusterVersions"]
    expect([one["clusterVersion"] for one in default], [cluster["version"]], "default version")
    expect(cluster["accessConfig"], {"authenticationMode": "CONFIG_MAP"}, "authentication mode")
    expect(cluster["upgradePolicy"], {"supportType": "EXTENDED"}, "upgrade policy")
    expect(cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"], "10.100.0.0/16", "service CIDR")
    vpc = cluster["resourcesVpcConfig"]
    expect((vpc["endpointPublicAccess"], vpc["endpointPrivateAccess"], vpc["publicAccessCidrs"]),
           (True, False, ["0.0.0.0/0"]), "endpoint access")
    log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
    expect(cluster["logging"]["clusterLogging"], [{"types": log_types, "enabled": False}], "logs")
    expect(cluster["deletionProtection"], False, "deletion protection")


def test_pagination():
    names = sorted(f"page-{i}" for i in range(5))
    for name in names:
        create(name)
    pages = list(eks.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2}))
    expect(all(len(page["clusters"]) <= 2 for page in pages), True, "no page is larger than asked")
    listed = [name for page in pages for name in page["clusters"]]
    expect(listed, sorted(set(listed)), "every cluster once, in order")
    expect([name for name in listed if name.startswith("page-")], names, "all clusters")
    refused("a token of nobody's", lambda: eks.list_clusters(nextToken="bm9uc2Vuc2U"),
            "InvalidParameterException", 400, "nextToken", eks.exceptions.InvalidParameterException)
    for name in names:
        eks.get_waiter("cluster_active").wait(name=name, WaiterConfig={"Delay": 1})
        eks.delete_cluster(name=name)


def finished(cluster, update):
    def look():
        now = eks.describe_update(name=cluster, updateId=update["id"])["update"]
        return now if now["status"] != "InProgress" else None
    return wait_until(f"update {update['type']}", look, 20)


def test_updates():
    create_and_wait("changing")
    update = eks.update_cluster_config(
        name="changing",
        logging={"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]})["update"]
    expect((update["type"], update["status"]), ("LoggingUpdate", "InProgress"), "update")
    done = finished("changing", update)
    expect((done["status"], done["errors"]), ("Successful", []), "update's end")
    expect(done["params"][0]["type"], "ClusterLogging", "update's parameters")
    wait_until("active again", lambda: eks.describe_cluster(name="changing")["cluster"]["status"]
               == "ACTIVE")
    setups = eks.describe_cluster(name="changing")["cluster"]["logging"]["clusterLogging"]
    expect({tuple(s["types"]): s["enabled"] for s in setups},
           {("api", "audit"): True, ("authenticator", "controllerManager", "scheduler"): False},
           "logging after the update")
    endpoint = eks.update_cluster_config(
        name="changing", resourcesVpcConfig={"endpointPrivateAccess": True})["update"]
    finished("changing", endpoint)
    ids = [one for page in eks.get_paginator("list_updates").paginate(
        name="changing", PaginationConfig={"PageSize": 1}) for one in page["updateIds"]]
    expect(sorted(ids), sorted([update["id"], endpoint["id"]]), "all updates, page by page")
    bad = eks.exceptions.InvalidParameterException
    refused("nothing changes", lambda: eks.update_cluster_config(
        name="changing", resourcesVpcConfig={"endpointPrivateAccess": True}),
        "InvalidParameterException", 400, "already at the desired configuration", bad)
    refused("two changes at once", lambda: eks.update_cluster_config(
        name="changing", deletionProtection=True, upgradePolicy={"supportType": "STANDARD"}),
        "InvalidParameterException", 400, "Only one type of update", bad)
    refused("an update that is not there", lambda: eks.describe_update(
        name="changing", updateId="11111111-2222-4333-8444-555555555555"),
        "ResourceNotFoundException", 404, "No update found for ID",
        eks.exceptions.ResourceNotFoundException)
    finished("changing", eks.update_cluster_config(name="changing",
                                                   deletionProtection=True)["update"])
    refused("deletion protection", lambda: eks.delete_cluster(name="changing"),
            "InvalidRequestException", 400, "deletion protection",
            eks.exceptions.InvalidRequestException)
    finished("changing", eks.update_cluster_config(name="changing",
                                                   deletionProtection=False)["update"])
    wait_until("active again", lambda: eks.describe_cluster(name="changing")["cluster"]["status"]
               == "ACTIVE")
    eks.delete_cluster(name="changing")


def test_version_update():
    create_and_wait("older", version="1.32")
    for version, words in (("1.32", "Unsupported Kubernetes minor version update from 1.32 to 1.32"),
                           ("1.12", "unsupported Kubernetes version")):
        refused(f"update to {version}", lambda: eks.update_cluster_version(
            name="older", version=version), "InvalidParameterException", 400, words,
            eks.exceptions.InvalidParameterException)
    change = {"name": "older", "version": "1.33", "clientRequestToken": "v1"}
    update = eks.update_cluster_version(**change)["update"]
    expect((update["type"], update["status"]), ("VersionUpdate", "InProgress"), "the update")
    expect(eks.update_cluster_version(**change)["update"]["id"], update["id"], "sent again")
    finished("older", update)
    found = eks.describe_cluster(name="older")["cluster"]
    expect((found["version"], found["status"]), ("1.33", "ACTIVE"), "the cluster afterwards")
    refused("downgrade", lambda: eks.update_cluster_version(name="older", version="1.32"),
            "InvalidParameterException", 400,
            "Unsupported Kubernetes minor version update from 1.33 to 1.32",
            eks.exceptions.InvalidParameterException)
    refused("unknown cluster", lambda: eks.update_cluster_version(name="nobody", version="1.33"),
            "ResourceNotFoundException", 404, "No cluster found for name: nobody",
            eks.exceptions.ResourceNotFoundException)


def test_versions():
    versions = eks.describe_cluster_versions()["clusterVersions"]
    names = [one["clusterVersion"] for one in versions]
    expect("1.33" in names and "1.32" in names, True, f"versions in support: {names}")
    expect(names, sorted(names, reverse=True), "newest first")
    expect([one["defaultVersion"] for one in versions].count(True), 1, "one default")
    one = eks.describe_cluster_versions(clusterVersions=["1.32"])["clusterVersions"]
    expect([v["clusterVersion"] for v in one], ["1.32"], "a version by name")
    expect(one[0]["endOfStandardSupportDate"].date(), datetime.date(2026, 3, 23), "a date")


def test_tags():
    arn = create_and_wait("tagged", tags={"a": "1"})["arn"]
    eks.tag_resource(resourceArn=arn, tags={"b/c": "two words", "a": "3"})
    expect(eks.list_tags_for_resource(resourceArn=arn)["tags"], {"a": "3", "b/c": "two words"},
           "tags")
    expect(eks.describe_cluster(name="tagged")["cluster"]["tags"]["a"], "3", "tags of the cluster")
    eks.untag_resource(resourceArn=arn, tagKeys=["a", "not there"])
    expect(eks.list_tags_for_resource(resourceArn=arn)["tags"], {"b/c": "two words"}, "untagged")
    refused("an ARN of nothing", lambda: eks.list_tags_for_resource(resourceArn=arn + "x"),
            "NotFoundException", 404, "No resource found", eks.exceptions.NotFoundException)
    refused("no ARN", lambda: eks.tag_resource(resourceArn="nonsense", tags={"a": "1"}),
            "BadRequestException", 400, "Invalid ARN", eks.exceptions.BadRequestException)
    refused("a reserved tag", lambda: eks.tag_resource(resourceArn=arn, tags={"aws:x": "1"}),
            "BadRequestException", 400, "aws:", eks.exceptions.BadRequestException)
    eks.delete_cluster(name="tagged")


def test_client_tokens():
    first = create("token", clientRequestToken="token-1")
    again = create("token", clientRequestToken="token-1")
    expect((again["arn"], again["createdAt"]), (first["arn"], first["createdAt"]), "sent again")
    refused("token of another request", lambda: create("token-2", clientRequestToken="token-1"),
            "InvalidParameterException", 400, "clientRequestToken",
            eks.exceptions.InvalidParameterException)
    eks.get_waiter("cluster_active").wait(name="token", WaiterConfig={"Delay": 1})
    change = {"name": "token", "deletionProtection": True, "clientRequestToken": "change-1"}
    update = eks.update_cluster_config(**change)["update"]
    expect(eks.update_cluster_config(**change)["update"]["id"], update["id"], "update sent again")
    finished("token", update)


def test_bad_input():
    missing = eks.exceptions.ResourceNotFoundException
    for what, call in {
            "describe": lambda: eks.describe_cluster(name="nobody"),
            "delete": lambda: eks.delete_cluster(name="nobody"),
            "updates": lambda: eks.list_updates(name="nobody"),
            "config": lambda: eks.update_cluster_config(name="nobody", deletionProtection=True),
    }.items():
        answer = refused(f"{what}: unknown cluster", call, "ResourceNotFoundException", 404,
                         "No cluster found for name: nobody.", missing)
        expect(answer.get("clusterName"), "nobody", f"{what}: clusterName in the answer")
    answer = refused("name taken", lambda: create("plain"), "ResourceInUseException", 409,
                     "Cluster already exists with name: plain",
                     eks.exceptions.ResourceInUseException)
    expect(answer.get("clusterName"), "plain", "clusterName in the answer")
    bad = eks.exceptions.InvalidParameterException
    for name in ("-dash-first", "under score", "dot.ted", "ümlaut", "a" * 101):
        refused(f"bad name {name}", lambda: create(name), "InvalidParameterException", 400,
                "failed to satisfy constraint", bad)
    refused("bad version", lambda: create("v", version="1.2"), "InvalidParameterException", 400,
            "unsupported Kubernetes version", bad)
    refused("bad role", lambda: eks.create_cluster(name="r", roleArn="nobody",
                                                   resourcesVpcConfig=VPC),
            "InvalidParameterException", 400, "role", bad)
    refused("one subnet", lambda: eks.create_cluster(
        name="s", roleArn=ROLE, resourcesVpcConfig={"subnetIds": ["subnet-1"]}),
        "InvalidParameterException", 400, "at least two different AZs", bad)
    refused("bad CIDR", lambda: create("c", kubernetesNetworkConfig={
        "serviceIpv4Cidr": "8.8.8.0/24"}), "InvalidParameterException", 400, "8.8.8.0/24", bad)
    refused("page size", lambda: eks.list_clusters(maxResults=1000), "InvalidParameterException",
            400, "less than or equal to 100", bad)


def test_what_is_not_served():
    create("bare")
    refused("operation", lambda: eks.create_nodegroup(
        clusterName="bare", nodegroupName="n", subnets=["subnet-1"], nodeRole=ROLE),
        "InvalidRequestException", 400, "CreateNodegroup", eks.exceptions.InvalidRequestException)
    refused("sts", lambda: client("sts").assume_role(RoleArn=ROLE, RoleSessionName="x" * 3),
            "InvalidAction", 400, "AssumeRole")
    refused("iam", lambda: client("iam").list_users(), "InvalidAction", 400, "ListUsers")
    refused("ec2", lambda: client("ec2").describe_vpcs(), "InvalidAction", 400, "DescribeVpcs")
    refused("s3", lambda: client("s3").list_buckets(), "NotImplemented", 501, "s3")
    refused("s3 upload", lambda: client("s3").put_object(Bucket="b", Key="k", Body=b"x"),
            "NotImplemented", 501, "s3")
    refused("ssm", lambda: client("ssm").get_parameter(Name="/aws/x"),
            "UnknownOperationException", 400, "GetParameter")


@contextlib.contextmanager
def signing_at(moment):
    """botocore takes this for the present moment; None: the real one."""
    real = botocore.auth.get_current_datetime
    if moment is not None:
        botocore.auth.get_current_datetime = lambda *_, **__: moment
    try:
        yield
    finally:
        botocore.auth.get_current_datetime = real


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def signed(body=b"", *, method="GET", path="/clusters", secret=None, moment=None, service="eks"):
    """An EKS request as botocore signs it, to be sent by hand."""
    request = botocore.awsrequest.AWSRequest(method=method, url=eks.meta.endpoint_url + path,
                                             data=body)
    key = botocore.credentials.Credentials(KEY.access_key, secret or KEY.secret_key)
    auth = botocore.auth.SigV4Auth(key, service, "us-east-1")
    with signing_at(moment):
        auth.add_auth(request)
    return request.prepare()


def send(prepared, body=None):
    request = urllib.request.Request(prepared.url, method=prepared.method,
                                     headers=dict(prepared.headers.items()),
                                     data=prepared.body if body is None else body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers.get("x-amzn-errortype"), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("x-amzn-errortype"), json.load(error)


def expect_denied(answer, code, part, what):
    expect(answer[:2], (403, code), what)
    expect_in(part, answer[2]["message"], what)


def test_signatures():
    expect(send(signed())[0], 200, "a request signed by hand is as good")
    expect_denied(send(signed(secret="x" * 40)), "InvalidSignatureException",
                  "signature we calculated does not match", "wrong secret")
    refused("wrong secret", lambda: client("eks", aws_access_key_id=KEY.access_key,
                                           aws_secret_access_key="x" * 40).list_clusters(),
            "InvalidSignatureException", 403, "does not match")
    refused("unknown key", lambda: client("eks", aws_access_key_id="AKIANOBODYNOBODY2222",
                                          aws_secret_access_key="x" * 40).list_clusters(),
            "UnrecognizedClientException", 403, "security token included in the request is invalid")
    refused("unknown key, sts", lambda: client(
        "sts", aws_access_key_id="AKIANOBODYNOBODY2222",
        aws_secret_access_key="x" * 40).get_caller_identity(),
        "InvalidClientTokenId", 403, "security token included in the request is invalid")
    refused("wrong secret, sts", lambda: client(
        "sts", aws_access_key_id=KEY.access_key,
        aws_secret_access_key="x" * 40).get_caller_identity(),
        "SignatureDoesNotMatch", 403, "does not match")
    refused("a session token of nobody's", lambda: client(
        "eks", aws_access_key_id=KEY.access_key, aws_secret_access_key=KEY.secret_key,
        aws_session_token="nonsense").list_clusters(),
        "UnrecognizedClientException", 403, "security token")
    now = utc_now()
    expect_denied(send(signed(moment=now - datetime.timedelta(minutes=20))),
                  "InvalidSignatureException", "Signature expired", "signed 20 minutes ago")
    expect_denied(send(signed(moment=now + datetime.timedelta(minutes=20))),
                  "InvalidSignatureException", "Signature not yet current", "clock ahead")
    expect(send(signed(moment=now - datetime.timedelta(minutes=2)))[0], 200, "two minutes of skew")


def test_what_is_signed_is_what_is_served():
    body = json.dumps({"name": "altered", "roleArn": ROLE, "resourcesVpcConfig": VPC}).encode()
    prepared = signed(body, method="POST")
    expect_denied(send(prepared, body.replace(b"altered", b"alterEd")),
                  "InvalidSignatureException", "does not match", "body altered after signing")
    delete = signed(method="DELETE", path="/clusters/plain")
    delete.url = delete.url.replace("plain", "token")
    expect_denied(send(delete), "InvalidSignatureException", "does not match", "another path")
    delete = signed(method="GET", path="/clusters/plain")
    delete.method = "DELETE"
    expect_denied(send(delete), "InvalidSignatureException", "does not match", "another method")
    expect_denied(send_unsigned("/clusters"),
                  "MissingAuthenticationTokenException", "Missing Authentication Token", "unsigned")
    expect("altered" in eks.list_clusters()["clusters"], False, "nothing was made")
    expect(eks.describe_cluster(name="plain")["cluster"]["status"], "ACTIVE", "nothing was deleted")


def send_unsigned(path):
    request = botocore.awsrequest.AWSRequest(method="GET", url=eks.meta.endpoint_url + path)
    return send(request.prepare())


def token_for(cluster, *, host="https://sts.us-east-1.amazonaws.com", secret=None, moment=None,
              action="GetCallerIdentity", signed_cluster=True):
    """What `aws eks get-token` makes, with something wrong on request."""
    key = botocore.credentials.Credentials(KEY.access_key, secret or KEY.secret_key)
    request = botocore.awsrequest.AWSRequest(
        method="GET", url=f"{host}/?Action={action}&Version=2011-06-15",
        headers={"x-k8s-aws-id": cluster} if signed_cluster else {})
    with signing_at(moment):
        botocore.auth.SigV4QueryAuth(key, "sts", "us-east-1", expires=60).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(request.url.encode()).decode().rstrip("=")


def status_of(cluster, token, path="/api/v1/namespaces"):
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificateAuthority"]["data"]).decode())
    request = urllib.request.Request(cluster["endpoint"] + path,
                                     headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        status = json.load(error)
        expect((status["kind"], status["code"]), ("Status", error.code), "a Status")
        return error.code


def test_tokens():
    cluster, other = create_and_wait("door-a"), create_and_wait("door-b")
    expect(status_of(cluster, token_for("door-a")), 200, "a token for the real STS")
    expect(status_of(cluster, token_for("door-a", host=eks.meta.endpoint_url)), 200,
           "a token for our endpoint")
    now = utc_now()
    minutes = datetime.timedelta(minutes=1)
    expect(status_of(cluster, token_for("door-a", moment=now - 14 * minutes)), 200,
           "14 minutes old")
    for what, token in {
            "of another cluster": token_for("door-b"),
            "expired": token_for("door-a", moment=now - 16 * minutes),
            "of the future": token_for("door-a", moment=now + 20 * minutes),
            "wrong secret": token_for("door-a", secret="x" * 40),
            "no cluster signed": token_for("door-a", signed_cluster=False),
            "another action": token_for("door-a", action="AssumeRole"),
            "cut short": token_for("door-a")[:-8],
            "no token": "k8s-aws-v1.",
    }.items():
        expect(status_of(cluster, token), 401, f"token: {what}")
    expect(status_of(other, token_for("door-a")), 401, "the other cluster's door")


if __name__ == "__main__":
    main([test_caller_identity, test_cluster_life, test_defaults, test_pagination, test_updates,
          test_version_update, test_versions, test_tags, test_client_tokens, test_bad_input,
          test_what_is_not_served, test_signatures, test_what_is_signed_is_what_is_served,
          test_tokens])
