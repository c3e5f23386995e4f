#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

const std::string kDeployments = "/apis/apps/v1/namespaces/default/deployments";

std::string deployment(const std::string& replicas, const std::string& image) {
  return R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{)" +
         replicas +
         R"("selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},)"
         R"("spec":{"containers":[{"name":"c","image":")" +
         image + R"("}]}}}})";
}

const testing::Extra kApply{.content_type = "application/apply-patch+yaml"};

TEST(Apply, CreatesThenChangesThenConflicts) {
  Rig rig;
  const std::string mine = kDeployments + "/d?fieldManager=me";
  const auto made = rig.ask("PATCH", mine, deployment(R"("replicas":2,)", "i:1"), kApply);
  ASSERT_EQ(made->status, 201) << made->body;
  const auto managers = made->json().at("metadata", "managedFields");
  ASSERT_EQ(managers.size(), 1u);
  EXPECT_EQ(managers[0]["manager"].as_string(), "me");
  EXPECT_EQ(managers[0]["operation"].as_string(), "Apply");

  const auto same = rig.ask("PATCH", mine, deployment(R"("replicas":2,)", "i:1"), kApply);
  EXPECT_EQ(same->status, 200);
  EXPECT_EQ(same->json(), made->json());

  const std::string theirs = kDeployments + "/d?fieldManager=them";
  const auto conflict = rig.ask("PATCH", theirs, deployment(R"("replicas":3,)", "i:1"), kApply);
  EXPECT_EQ(conflict->status, 409);
  EXPECT_EQ(conflict->json()["details"]["causes"][0]["reason"].as_string(), "FieldManagerConflict");
  const auto forced =
      rig.ask("PATCH", theirs + "&force=true", deployment(R"("replicas":3,)", "i:1"), kApply);
  EXPECT_EQ(forced->status, 200) << forced->body;
  EXPECT_EQ(forced->json().at("spec", "replicas").as_int(), 3);
  EXPECT_EQ(forced->json().at("metadata", "generation").as_int(), 2);
}

TEST(Apply, NeedsAManager) {
  Rig rig;
  EXPECT_EQ(rig.ask("PATCH", kDeployments + "/d", deployment("", "i"), kApply)->status, 422);
}

TEST(Apply, UpdatesAreOwnedByTheAgent) {
  Rig rig;
  const auto made = rig.ask("POST", kDeployments, deployment("", "i"),
                            {.headers = {{"user-agent", "kubectl/v1.33 (linux)"}}});
  ASSERT_EQ(made->status, 201) << made->body;
  const auto managers = made->json().at("metadata", "managedFields");
  ASSERT_EQ(managers.size(), 1u);
  EXPECT_EQ(managers[0]["manager"].as_string(), "kubectl");
  EXPECT_EQ(managers[0]["operation"].as_string(), "Update");
}

TEST(StrategicPatch, MergesListsByKey) {
  Rig rig;
  rig.ask("POST", kDeployments, deployment("", "i:1"));
  const auto patched =
      rig.ask("PATCH", kDeployments + "/d",
              R"({"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s"}]}}}})",
              {.content_type = "application/strategic-merge-patch+json"});
  ASSERT_EQ(patched->status, 200) << patched->body;
  EXPECT_EQ(patched->json().at("spec", "template", "spec", "containers").size(), 2u);
}

TEST(Forms, TableMetadataYamlAndProtobuf) {
  Rig rig;
  rig.ask("POST", kDeployments, deployment("", "i:1"));
  const auto table =
      rig.ask("GET", kDeployments, "",
              {.accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"});
  EXPECT_EQ(table->json()["kind"].as_string(), "Table");
  EXPECT_EQ(table->json()["rows"][0]["cells"][0].as_string(), "d");
  EXPECT_EQ(table->json()["rows"][0]["object"]["kind"].as_string(), "PartialObjectMetadata");
  const auto partial =
      rig.ask("GET", kDeployments + "/d", "",
              {.accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"});
  EXPECT_FALSE(partial->json().contains("spec"));
  const auto yaml = rig.ask("GET", kDeployments + "/d", "", {.accept = "application/yaml"});
  EXPECT_NE(yaml->body.find("kind: Deployment"), std::string::npos);
  const testing::Extra proto{.accept = "application/vnd.kubernetes.protobuf,application/json"};
  const auto bytes = rig.ask("GET", kDeployments, "", proto);
  EXPECT_EQ(bytes->header("content-type"), "application/vnd.kubernetes.protobuf");
  EXPECT_EQ(bytes->body.substr(0, 4), std::string("k8s\0", 4));
  const auto missing = rig.ask("GET", kDeployments + "/none", "", proto);
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(missing->body.substr(0, 4), std::string("k8s\0", 4));
  EXPECT_EQ(rig.ask("GET", kDeployments, "", {.accept = "application/cbor"})->status, 406);
}

TEST(Forms, ProtobufBodiesAreRead) {
  Rig rig;
  rig.ask("POST", kDeployments, deployment("", "i:1"));
  const auto bytes =
      rig.ask("GET", kDeployments + "/d", "", {.accept = "application/vnd.kubernetes.protobuf"});
  const auto back = rig.ask("PUT", kDeployments + "/d", bytes->body,
                            {.content_type = "application/vnd.kubernetes.protobuf"});
  EXPECT_EQ(back->status, 200) << back->body;
  EXPECT_EQ(back->json(), rig.ask("GET", kDeployments + "/d")->json()) << "a round trip is a no-op";
}

}  // namespace
}  // namespace keelway::apiserver
