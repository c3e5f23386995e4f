// Updates, tags, versions and what there is none of.
#include "aws/eks/operations.h"
#include "aws/test_door.h"

namespace keelway::aws {
namespace {

TEST_F(DoorTest, UpdatesAreRecorded) {
  make("dev");
  const std::string body = R"({"logging":{"clusterLogging":[{"types":["audit"],"enabled":true}]},)"
                           R"("clientRequestToken":"u1"})";
  const Reply made = eks("POST", "/clusters/dev/update-config", body);
  ASSERT_EQ(made.status, 200) << made.text;
  const Value& update = made.body["update"];
  EXPECT_EQ(update["status"].as_string(), "InProgress");
  EXPECT_EQ(update["type"].as_string(), "LoggingUpdate");
  EXPECT_EQ(update["params"][0]["type"].as_string(), "ClusterLogging");
  const std::string id = update["id"].as_string();
  const Reply found = eks("GET", "/clusters/dev/updates/" + id);
  EXPECT_EQ(found.body.at("update", "status").as_string(), "Successful");
  EXPECT_EQ(eks("GET", "/clusters/dev/updates").body["updateIds"][0].as_string(), id);
  const Value logging = eks("GET", "/clusters/dev").body.at("cluster", "logging");
  EXPECT_EQ(value::to_json(logging["clusterLogging"][0]), R"({"enabled":true,"types":["audit"]})");
  EXPECT_EQ(eks("POST", "/clusters/dev/update-config", body).body.at("update", "id").as_string(),
            id);
  expect_refused(eks("POST", "/clusters/dev/update-config",
                     R"({"logging":{"clusterLogging":[{"types":["audit"],"enabled":true}]}})"),
                 400, "InvalidParameterException", "No changes needed for the logging config");
  expect_refused(eks("GET", "/clusters/dev/updates/nope"), 404, "ResourceNotFoundException",
                 "No update found for ID: nope");
  expect_refused(eks("GET", "/clusters/other/updates/" + id), 404, "ResourceNotFoundException",
                 "other");
}

TEST_F(DoorTest, OneKindOfChangeACall) {
  make("dev");
  const auto config = [&](std::string body) {
    return eks("POST", "/clusters/dev/update-config", std::move(body));
  };
  expect_refused(
      config(R"({"deletionProtection":true,"upgradePolicy":{"supportType":"STANDARD"}})"), 400,
      "InvalidParameterException", "Only one type of update can be allowed.");
  expect_refused(config("{}"), 400, "InvalidParameterException", "No changes");
  EXPECT_EQ(config(R"({"accessConfig":{"authenticationMode":"API"}})").status, 200);
  expect_refused(config(R"({"accessConfig":{"authenticationMode":"CONFIG_MAP"}})"), 400,
                 "InvalidParameterException",
                 "Unsupported authentication mode update from API to CONFIG_MAP");
  expect_refused(config(R"({"resourcesVpcConfig":{"endpointPublicAccess":false}})"), 400,
                 "InvalidParameterException", "cannot be false");
  EXPECT_EQ(config(R"({"resourcesVpcConfig":{"endpointPublicAccess":false,)"
                   R"("endpointPrivateAccess":true}})")
                .body.at("update", "type")
                .as_string(),
            "EndpointAccessUpdate");
  EXPECT_EQ(config(R"({"deletionProtection":true})").status, 200);
  expect_refused(eks("DELETE", "/clusters/dev"), 400, "InvalidRequestException",
                 "deletion protection");
  set_status("dev", "UPDATING");
  expect_refused(config(R"({"deletionProtection":false})"), 409, "ResourceInUseException",
                 "has an update in progress");
}

TEST_F(DoorTest, AVersionGoesUpByOneMinor) {
  make("dev", R"(,"version":"1.32")");
  const auto update = [&](const std::string& to) {
    return eks("POST", "/clusters/dev/updates", R"({"version":")" + to + R"("})");
  };
  const std::string wrong = "Unsupported Kubernetes minor version update from 1.3";
  expect_refused(update(""), 400, "InvalidParameterException", "version");
  expect_refused(update("1.32"), 400, "InvalidParameterException", wrong + "2 to 1.32");
  const Value made = update("1.33").body["update"];
  EXPECT_EQ(made["type"].as_string() + made["status"].as_string(), "VersionUpdateInProgress");
  expect_refused(update("1.32"), 400, "InvalidParameterException", wrong + "3 to 1.32");
  set_status("dev", "UPDATING");
  expect_refused(update("1.33"), 409, "ResourceInUseException", "Cannot VersionUpdate because");
}

// The server died after it had changed the cluster and before it had made the Update.
TEST_F(DoorTest, AChangeWhoseAnswerWasLostIsMadeOnce) {
  make("dev", R"(,"version":"1.32")");
  const auto ask = [&](const std::string& path, const std::string& body) {
    const Reply first = eks("POST", path, body);
    const std::string id = first.body.at("update", "id").as_string();
    hub_.finalize(resources::updates, object_of("dev")->name_space(), id);
    const Reply again = eks("POST", path, body);
    EXPECT_EQ(again.status, 200) << again.text;
    EXPECT_FALSE(id.empty()) << first.text;
    EXPECT_EQ(again.body.at("update", "id").as_string(), id);
    EXPECT_EQ(eks("GET", "/clusters/dev/updates/" + id).status, 200);
  };
  ask("/clusters/dev/update-config", R"({"deletionProtection":true,"clientRequestToken":"c"})");
  ask("/clusters/dev/updates", R"({"version":"1.33","clientRequestToken":"v"})");
  expect_refused(
      eks("POST", "/clusters/dev/updates", R"({"version":"1.32","clientRequestToken":"v"})"), 400,
      "InvalidParameterException", "clientRequestToken");
}

TEST_F(DoorTest, Tags) {
  make("dev", R"(,"tags":{"a":"1"})");
  const std::string path = "/tags/arn%3Aaws%3Aeks%3Aeu-west-1%3A123456789012%3Acluster%2Fdev";
  EXPECT_EQ(eks("POST", path, R"({"tags":{"b/c":"2","a":"3"}})").status, 200);
  EXPECT_EQ(value::to_json(eks("GET", path).body), R"({"tags":{"a":"3","b/c":"2"}})");
  EXPECT_EQ(eks("DELETE", path + "?tagKeys=a&tagKeys=zzz").status, 200);
  EXPECT_EQ(value::to_json(eks("GET", path).body), R"({"tags":{"b/c":"2"}})");
  std::string many = R"({"tags":{)";
  for (int i = 0; i < 50; ++i) {
    many += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":\"v\"";
  }
  expect_refused(eks("POST", path, many + "}}"), 400, "BadRequestException", "50");
  expect_refused(eks("GET", "/tags/nonsense"), 400, "BadRequestException", "Invalid ARN");
  expect_refused(eks("DELETE", path), 400, "BadRequestException", "tagKeys");
}

TEST_F(DoorTest, NodegroupsOfAClusterAreNone) {
  make("dev");
  const std::string path = "/clusters/dev/node-groups";
  const Reply none = eks("GET", path);
  ASSERT_EQ(none.status, 200) << none.text;
  EXPECT_EQ(none.text, R"({"nodegroups":[]})");
  EXPECT_EQ(eks("GET", path + "?maxResults=100").text, R"({"nodegroups":[]})");
  for (const char* size : {"0", "101", "x"}) {
    expect_refused(eks("GET", path + "?maxResults=" + size), 400, "InvalidParameterException",
                   "maxResults");
  }
  expect_refused(eks("GET", path + "?nextToken=zzz"), 400, "InvalidParameterException",
                 "nextToken");
  make("eve");
  const std::string foreign = eks("GET", "/clusters?maxResults=1").body["nextToken"].as_string();
  ASSERT_FALSE(foreign.empty());
  expect_refused(eks("GET", path + "?nextToken=" + foreign), 400, "InvalidParameterException",
                 "nextToken");
  expect_refused(eks("GET", "/clusters/other/node-groups"), 404, "ResourceNotFoundException",
                 "No cluster found for name: other.");
  expect_refused(send(request("GET", path, "", other_key())), 404, "ResourceNotFoundException",
                 "dev");
}

TEST_F(DoorTest, VersionsFollowTheCalendar) {
  const Reply all = eks("GET", "/cluster-versions");
  ASSERT_EQ(all.status, 200) << all.text;
  EXPECT_EQ(all.body["clusterVersions"][0]["clusterVersion"].as_string(), "1.33");
  const Reply one = eks("GET", "/cluster-versions?defaultOnly=true");
  ASSERT_EQ(one.body["clusterVersions"].size(), 1u);
  EXPECT_EQ(one.body["clusterVersions"][0]["versionStatus"].as_string(), "STANDARD_SUPPORT");
  const Reply old = eks("GET", "/cluster-versions?clusterVersions=1.31");
  EXPECT_EQ(old.body["clusterVersions"].size(), 0u) << "what is not served is not offered";
  expect_refused(eks("GET", "/cluster-versions?status=x"), 400, "InvalidParameterException",
                 "status");
}

TEST_F(DoorTest, EveryOperationOfTheModelIsKnownByName) {
  EXPECT_EQ(eks::table().size(), 65u);
  const Reply reply = eks("POST", "/clusters/dev/node-groups", "{}");
  expect_refused(reply, 400, "InvalidRequestException", "CreateNodegroup");
  expect_refused(eks("GET", "/clusters/dev/nothing/here/at/all"), 404, "UnknownOperationException",
                 "GET /clusters/dev/nothing/here/at/all");
  const eks::Match match =
      eks::find_operation("POST", "/clusters/a/identity-provider-configs/describe");
  ASSERT_TRUE(match.row);
  EXPECT_EQ(match.row->name, "DescribeIdentityProviderConfig");
}

}  // namespace
}  // namespace keelway::aws
