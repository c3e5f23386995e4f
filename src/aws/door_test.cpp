#include "aws/test_door.h"

namespace keelway::aws {
namespace {

// --- signatures ---

TEST_F(DoorTest, BotocoresRequestsAreTaken) {
  const Reply made = send(vectors::create_cluster_request());
  ASSERT_EQ(made.status, 200) << made.text;
  EXPECT_EQ(made.body.at("cluster", "status").as_string(), "CREATING");
  EXPECT_EQ(made.body.at("cluster", "tags", "team").as_string(), "a b");
  const Reply tags = send(vectors::list_tags_request());
  ASSERT_EQ(tags.status, 200) << tags.text;
  EXPECT_EQ(tags.body.at("tags", "team").as_string(), "a b");
  const Reply page = send(vectors::list_clusters_request());
  expect_refused(page, 400, "InvalidParameterException", "nextToken");  // signed well, bad token
  const Reply who = send(vectors::caller_identity_request());
  ASSERT_EQ(who.status, 200) << who.text;
  EXPECT_NE(who.text.find("<Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId>"
                          "<Account>123456789012</Account>"),
            std::string::npos)
      << who.text;
}

TEST_F(DoorTest, WrongCallersAreRefused) {
  http::Request plain = request("GET", "/clusters", "");
  http::Request changed = vectors::copy_of(plain);
  plain.headers = {{"host", "127.0.0.1:4566"}};
  expect_refused(send(plain), 403, "MissingAuthenticationTokenException",
                 "Missing Authentication Token");
  changed.target = "/clusters?maxResults=1";
  expect_refused(send(changed), 403, "InvalidSignatureException",
                 "The request signature we calculated does not match the signature you provided. "
                 "Check your AWS Secret Access Key and signing method.");
  AccessKey unknown = vectors::key();
  unknown.access_key_id = "AKIANOBODY";
  expect_refused(send(request("GET", "/clusters", "", unknown)), 403, "UnrecognizedClientException",
                 "The security token included in the request is invalid.");
  AccessKey wrong = vectors::key();
  wrong.secret_access_key = "guess";
  expect_refused(send(request("GET", "/clusters", "", wrong)), 403, "InvalidSignatureException",
                 "does not match");
  http::Request broken = request("GET", "/clusters", "");
  for (auto& [name, text] : broken.headers) {
    if (name == "authorization") text = "AWS4-HMAC-SHA256 Credential=x";
  }
  expect_refused(send(broken), 400, "IncompleteSignatureException", "Signature");
}

TEST_F(DoorTest, BodyIsCoveredByTheSignature) {
  http::Request changed = request("POST", "/clusters", create_body("dev"));
  changed.body = create_body("prod");
  expect_refused(send(changed), 403, "InvalidSignatureException", "does not match");
  EXPECT_FALSE(object_of("prod"));
}

TEST_F(DoorTest, OldAndEarlySignatures) {
  const http::Request now = request("GET", "/clusters", "");
  host_->set_wall_skew(std::chrono::minutes(4));
  EXPECT_EQ(send(now).status, 200);
  host_->set_wall_skew(std::chrono::minutes(6));
  expect_refused(send(now), 403, "InvalidSignatureException",
                 "Signature expired: 20260102T030405Z is now earlier than 20260102T030505Z "
                 "(20260102T031005Z - 5 min.)");
  host_->set_wall_skew(-std::chrono::minutes(6));
  expect_refused(send(now), 403, "InvalidSignatureException", "Signature not yet current");
}

TEST_F(DoorTest, OtherServicesAreRefusedInTheirOwnTongue) {
  const auto ask = [&](std::string service, std::string body) {
    http::Request made = request("POST", "/", body, vectors::key(), service);
    made.headers.emplace_back("content-type", "application/x-www-form-urlencoded");
    return send(made);
  };
  Reply reply = ask("iam", "Action=CreateRole");
  EXPECT_EQ(reply.content_type, "text/xml");
  EXPECT_NE(reply.text.find("<Code>InvalidAction</Code>"), std::string::npos);
  EXPECT_NE(reply.text.find("CreateRole"), std::string::npos);
  reply = ask("ec2", "Action=DescribeVpcs");
  EXPECT_NE(reply.text.find("<Response><Errors><Error><Code>InvalidAction</Code>"),
            std::string::npos);
  EXPECT_NE(ask("s3", "").text.find("<Code>NotImplemented</Code>"), std::string::npos);
  EXPECT_NE(ask("ssm", "").text.find("\"__type\":\"UnknownOperationException\""),
            std::string::npos);
  EXPECT_NE(ask("sts", "Action=AssumeRole").text.find("AssumeRole"), std::string::npos);
}

// --- clusters ---

TEST_F(DoorTest, LifeOfACluster) {
  ASSERT_EQ(eks("POST", "/clusters", create_body("dev")).status, 200);
  Value cluster = eks("GET", "/clusters/dev").body["cluster"];
  EXPECT_EQ(cluster["status"].as_string(), "CREATING");
  EXPECT_FALSE(cluster.contains("endpoint"));
  EXPECT_EQ(cluster["arn"].as_string(), "arn:aws:eks:eu-west-1:123456789012:cluster/dev");
  EXPECT_EQ(cluster["version"].as_string(), "1.33");
  EXPECT_EQ(cluster["createdAt"].as_int(), vectors::signed_at.seconds());
  EXPECT_TRUE(cluster.at("resourcesVpcConfig", "endpointPublicAccess").as_bool());
  EXPECT_EQ(cluster.at("resourcesVpcConfig", "publicAccessCidrs")[0].as_string(), "0.0.0.0/0");
  EXPECT_EQ(cluster.at("logging", "clusterLogging")[0]["types"].size(), 5u);
  EXPECT_EQ(cluster.at("accessConfig", "authenticationMode").as_string(), "CONFIG_MAP");
  EXPECT_EQ(cluster.at("upgradePolicy", "supportType").as_string(), "EXTENDED");
  expect_refused(eks("DELETE", "/clusters/dev"), 409, "ResourceInUseException", "in progress");

  set_status("dev", "ACTIVE");
  cluster = eks("GET", "/clusters/dev").body["cluster"];
  EXPECT_EQ(cluster["endpoint"].as_string(), "https://127.0.0.1:7001");
  EXPECT_EQ(cluster.at("identity", "oidc", "issuer").as_string(), "https://oidc/id/1");
  EXPECT_EQ(cluster.at("certificateAuthority", "data").as_string(), "Q0E=");
  EXPECT_EQ(value::to_json(eks("GET", "/clusters").body), R"({"clusters":["dev"]})");

  EXPECT_EQ(eks("DELETE", "/clusters/dev").body.at("cluster", "status").as_string(), "DELETING");
  EXPECT_EQ(eks("GET", "/clusters/dev").body.at("cluster", "status").as_string(), "DELETING");
  expect_refused(eks("POST", "/clusters", create_body("dev")), 409, "ResourceInUseException",
                 "Cluster already exists with name: dev");
  const auto object = object_of("dev");
  hub_.finalize(resources::clusters, object->name_space(), object->name());
  const Reply gone = eks("GET", "/clusters/dev");
  expect_refused(gone, 404, "ResourceNotFoundException", "No cluster found for name: dev.");
  EXPECT_EQ(gone.body["clusterName"].as_string(), "dev");
  expect_refused(eks("DELETE", "/clusters/dev"), 404, "ResourceNotFoundException", "dev");
}

TEST_F(DoorTest, HubObjectHoldsWhatTheFleetNeeds) {
  ASSERT_EQ(eks("POST", "/clusters", create_body("dev")).status, 200);
  const auto object = object_of("dev");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->name_space(), "123456789012-eu-west-1");
  EXPECT_TRUE(object->name().starts_with("c-") && object->name().size() == 22);
  const Value document = object->value();
  EXPECT_EQ(document.at("metadata", "finalizers")[0].as_string(), "hub.keelway.dev/control-plane");
  EXPECT_EQ(document.at("spec", "creatorArn").as_string(), "arn:aws:iam::123456789012:root");
  EXPECT_EQ(document.at("spec", "accountId").as_string(), "123456789012");
  EXPECT_EQ(document.at("spec", "kubernetesNetworkConfig", "serviceIpv4Cidr").as_string(),
            "10.100.0.0/16");
}

TEST_F(DoorTest, ClientTokens) {
  const std::string body = create_body("dev", R"(,"clientRequestToken":"t1")");
  const Reply first = eks("POST", "/clusters", body);
  const Reply again = eks("POST", "/clusters", body);
  ASSERT_EQ(again.status, 200) << again.text;
  EXPECT_EQ(first.body.at("cluster", "createdAt").as_double(),
            again.body.at("cluster", "createdAt").as_double());
  expect_refused(eks("POST", "/clusters", create_body("dev2", R"(,"clientRequestToken":"t1")")),
                 400, "InvalidParameterException", "clientRequestToken");
  expect_refused(eks("POST", "/clusters", create_body("dev", R"(,"clientRequestToken":"t2")")), 409,
                 "ResourceInUseException", "Cluster already exists with name: dev");
}

TEST_F(DoorTest, CreateChecksItsInput) {
  const auto refused = [&](std::string body, std::string_view part) {
    expect_refused(eks("POST", "/clusters", std::move(body)), 400, "InvalidParameterException",
                   part);
  };
  refused(create_body("-x"), "regular expression pattern");
  refused(create_body(std::string(101, 'a')), "length less than or equal to 100");
  refused(R"({"name":"a","roleArn":"arn:aws:iam::1:role/r"})", "'resourcesVpcConfig'");
  refused(create_body("a", R"(,"version":"1.12")"), "unsupported Kubernetes version");
  refused(R"({"name":"a","roleArn":"r","resourcesVpcConfig":{}})", "role ARN");
  refused(R"({"name":"a","roleArn":"arn:aws:iam::1:role/r","resourcesVpcConfig":)"
          R"({"subnetIds":["subnet-1"]}})",
          "at least two different AZs");
  refused(create_body("a", R"(,"kubernetesNetworkConfig":{"serviceIpv4Cidr":"8.8.0.0/16"})"),
          "serviceIpv4Cidr");
  refused(create_body("a", R"(,"kubernetesNetworkConfig":{"serviceIpv4Cidr":"10.0.0.0/25"})"),
          "serviceIpv4Cidr");
  refused(create_body("a", R"(,"logging":{"clusterLogging":[{"types":["x"],"enabled":true}]})"),
          "enum value set");
  refused(create_body("a", R"(,"accessConfig":{"authenticationMode":"NO"})"), "enum value set");
  refused(create_body("a", R"(,"accessConfig":{"bootstrapClusterCreatorAdminPermissions":false})"),
          "CONFIG_MAP");
  refused(create_body("a", R"(,"tags":{"aws:x":"y"})"), "reserved");
  refused(create_body("a", R"(,"computeConfig":{"enabled":true})"), "Auto Mode");
  expect_refused(eks("POST", "/clusters", "[1]"), 400, "SerializationException", "");
  expect_refused(eks("POST", "/clusters", R"({"name":7})"), 400, "SerializationException", "name");
  EXPECT_TRUE(hub_.view().list(resources::clusters).empty());
}

TEST_F(DoorTest, Pages) {
  for (const char* name : {"c", "a", "d", "b", "e"}) make(name);
  std::string seen;
  std::string target = "/clusters?maxResults=2";
  for (int i = 0; i < 5; ++i) {
    const Reply page = eks("GET", target);
    for (const Value& name : page.body["clusters"].items()) seen += name.as_string();
    if (!page.body.contains("nextToken")) break;
    target = "/clusters?maxResults=2&nextToken=" + page.body["nextToken"].as_string();
  }
  EXPECT_EQ(seen, "abcde");
  expect_refused(eks("GET", "/clusters?maxResults=0"), 400, "InvalidParameterException",
                 "greater than or equal to 1");
  expect_refused(eks("GET", "/clusters?maxResults=101"), 400, "InvalidParameterException", "100");
  expect_refused(eks("GET", "/clusters?nextToken=zzz"), 400, "InvalidParameterException",
                 "nextToken");
}

TEST_F(DoorTest, AccountsAndRegionsAreApart) {
  make("dev");
  const AccessKey eve = other_key();
  const auto as_eve = [&](std::string method, std::string target, std::string body = "") {
    return send(request(std::move(method), std::move(target), std::move(body), eve));
  };
  EXPECT_EQ(value::to_json(as_eve("GET", "/clusters").body), R"({"clusters":[]})");
  expect_refused(as_eve("GET", "/clusters/dev"), 404, "ResourceNotFoundException", "dev");
  expect_refused(as_eve("DELETE", "/clusters/dev"), 404, "ResourceNotFoundException", "dev");
  expect_refused(as_eve("POST", "/clusters/dev/update-config", R"({"deletionProtection":true})"),
                 404, "ResourceNotFoundException", "dev");
  const std::string arn = "arn%3Aaws%3Aeks%3Aeu-west-1%3A123456789012%3Acluster%2Fdev";
  expect_refused(as_eve("GET", "/tags/" + arn), 404, "NotFoundException", "");
  EXPECT_EQ(as_eve("POST", "/clusters", create_body("dev")).status, 200);
  const Reply elsewhere =
      send(request("GET", "/clusters/dev", "", vectors::key(), "eks", "us-east-1"));
  expect_refused(elsewhere, 404, "ResourceNotFoundException", "dev");
}

// --- our own paths ---

TEST_F(DoorTest, RootMakesKeysOfItsAccountAndUsersMakeNone) {
  const std::string account = vectors::key().account_id;
  const Reply made = eks("POST", "/_keelway/keys", R"({"userName":"ada"})");
  ASSERT_EQ(made.status, 200) << made.text;
  EXPECT_EQ(made.body["accountId"].as_string(), account);
  EXPECT_EQ(made.body["userName"].as_string(), "ada");
  const AccessKey ada{made.body["accessKeyId"].as_string(),
                      made.body["secretAccessKey"].as_string(), account, "ada", false};
  EXPECT_EQ(ada.access_key_id.size(), 20u);
  EXPECT_EQ(ada.secret_access_key.size(), 40u);
  EXPECT_EQ(send(request("GET", "/clusters", "", ada)).status, 200);
  for (const char* method : {"GET", "POST"}) {
    expect_refused(send(request(method, "/_keelway/keys", "", ada)), 403, "AccessDeniedException",
                   "user/ada");
  }
  const Reply listed = eks("GET", "/_keelway/keys");
  ASSERT_EQ(listed.body["keys"].size(), 2u) << listed.text;  // not the other account's
  EXPECT_EQ(listed.text.find("secret"), std::string::npos) << listed.text;
  expect_refused(eks("POST", "/_keelway/keys", R"({"accountId":"999999999999"})"), 403,
                 "AccessDeniedException", "999999999999");
  expect_refused(eks("DELETE", "/_keelway/keys/AKIAOTHER"), 404, "ResourceNotFoundException",
                 "AKIAOTHER");
  const std::string path = "/_keelway/keys/" + ada.access_key_id;
  expect_refused(send(request("DELETE", path, "", ada)), 403, "AccessDeniedException", "root");
  EXPECT_EQ(eks("DELETE", path).status, 200);
  expect_refused(send(request("GET", "/clusters", "", ada)), 403, "UnrecognizedClientException",
                 "security token");
  expect_refused(eks("POST", "/_keelway/keys", R"({"userName":"no spaces"})"), 400,
                 "InvalidParameterException", "userName");
  expect_refused(eks("POST", "/_keelway/keys", R"({"accountId":"12"})"), 400,
                 "InvalidParameterException", "12 digits");
  expect_refused(eks("PUT", "/_keelway/keys"), 405, "MethodNotAllowedException", "POST");
}

TEST_F(DoorTest, TheOperatorMakesKeysOfEveryAccountAndKeepsItsOwnLastOne) {
  const AccessKey root{"AKIAOPERATOR", "operator-secret", DoorOptions().operator_account, "", true};
  add_key(root);
  const auto call = [&](std::string method, std::string target, std::string body = "") {
    return send(request(std::move(method), std::move(target), std::move(body), root));
  };
  const Reply made = call("POST", "/_keelway/keys", R"({"accountId":"111122223333"})");
  ASSERT_EQ(made.status, 200) << made.text;
  EXPECT_FALSE(made.body.contains("userName"));
  EXPECT_EQ(call("GET", "/_keelway/keys").body["keys"].size(), 4u);
  expect_refused(call("DELETE", "/_keelway/keys/AKIAOPERATOR"), 400, "InvalidRequestException",
                 "last root key");
  add_key({"test", "test", root.account_id, "", true});
  EXPECT_EQ(call("DELETE", "/_keelway/keys/AKIAOPERATOR").status, 400);  // that one may go any time
  const Reply second = call("POST", "/_keelway/keys");
  ASSERT_EQ(second.status, 200) << second.text;
  EXPECT_EQ(call("DELETE", "/_keelway/keys/" + made.body["accessKeyId"].as_string()).status, 200);
  EXPECT_EQ(call("DELETE", "/_keelway/keys/AKIAOPERATOR").status, 200);
  EXPECT_EQ(call("GET", "/clusters").status, 403);
}

TEST_F(DoorTest, MetricsAreForTheOperator) {
  const AccessKey root{"AKIAOPERATOR", "operator-secret", DoorOptions().operator_account, "", true};
  add_key(root);
  metrics_->counter("some_total", "Some.").add(3);
  const Reply reply = send(request("GET", "/_keelway/metrics", "", root));
  EXPECT_NE(reply.text.find("some_total 3"), std::string::npos) << reply.text;
  expect_refused(eks("GET", "/_keelway/metrics"), 403, "AccessDeniedException", "root");
}

TEST_F(DoorTest, HealthAsksNobody) {
  http::Request plain;
  plain.method = "GET";
  plain.target = "/_keelway/health";
  const Reply reply = send(plain);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body["status"].as_string(), "ok");
}

TEST_F(DoorTest, ResetTakesTheCallersClustersOnly) {
  make("one");
  make("two", R"(,"deletionProtection":true)");
  const Reply foreign = send(request("POST", "/clusters", create_body("keep"), other_key()));
  ASSERT_EQ(foreign.status, 200);
  http::Request unsigned_reset;
  unsigned_reset.method = "POST";
  unsigned_reset.target = "/_keelway/reset";
  EXPECT_EQ(send(unsigned_reset).status, 403);
  EXPECT_EQ(hub_.view().list(resources::clusters).size(), 3u);

  auto exchange = std::make_shared<TestExchange>();
  executor_->post([&] { door_->handle(request("POST", "/_keelway/reset", ""), exchange); });
  world_->run_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(exchange->answer);  // both are still going
  for (const char* name : {"one", "two"}) {
    const auto object = object_of(name);
    ASSERT_TRUE(object);
    EXPECT_TRUE(object->deleting());
    hub_.finalize(resources::clusters, object->name_space(), object->name());
  }
  world_->run_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(exchange->answer);
  EXPECT_EQ(exchange->answer->status, 200);
  EXPECT_EQ(exchange->answer->body, R"({"clustersDeleted":2})");
  EXPECT_TRUE(object_of("keep"));
}

TEST_F(DoorTest, ResetThatTakesTooLongSaysSo) {
  make("stuck");
  auto exchange = std::make_shared<TestExchange>();
  executor_->post([&] { door_->handle(request("POST", "/_keelway/reset", ""), exchange); });
  world_->run_for(std::chrono::seconds(31));
  ASSERT_TRUE(exchange->answer);
  EXPECT_EQ(exchange->answer->status, 504);
}

TEST_F(DoorTest, CallerIdentityInJsonIfAsked) {
  http::Request made =
      request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "", other_key(), "sts");
  made.headers.emplace_back("accept", "application/json");
  const Reply reply = send(made);
  EXPECT_EQ(
      reply.body.at("GetCallerIdentityResponse", "GetCallerIdentityResult", "Arn").as_string(),
      "arn:aws:iam::999999999999:user/eve");
}

}  // namespace
}  // namespace keelway::aws
