#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

TEST(Discovery, PlainForms) {
  Rig rig;
  EXPECT_EQ(rig.ask("GET", "/api")->json()["versions"][0].as_string(), "v1");
  const auto groups = rig.ask("GET", "/apis")->json();
  EXPECT_EQ(groups["kind"].as_string(), "APIGroupList");
  bool apps = false;
  for (const auto& group : groups["groups"].items()) apps |= group["name"].as_string() == "apps";
  EXPECT_TRUE(apps);
  const auto core = rig.ask("GET", "/api/v1")->json();
  bool pods = false, eviction = false;
  for (const auto& entry : core["resources"].items()) {
    pods |= entry["name"].as_string() == "pods" && entry["namespaced"].as_bool();
    eviction |= entry["name"].as_string() == "pods/eviction" &&
                entry["kind"].as_string() == "Eviction" && entry["group"].as_string() == "policy";
  }
  EXPECT_TRUE(pods);
  EXPECT_TRUE(eviction);
  EXPECT_EQ(rig.ask("GET", "/apis/nothing.example/v1")->status, 404);
  EXPECT_EQ(rig.ask("GET", "/apis/nothing.example/v1/things")->body, "404 page not found\n");
  EXPECT_EQ(rig.ask("GET", "/apis/apps/v1/things")->json()["reason"].as_string(), "NotFound");
}

TEST(Discovery, AggregatedFormsHaveTags) {
  Rig rig;
  for (const std::string version : {"v2", "v2beta1"}) {
    const std::string accept = "application/json;g=apidiscovery.k8s.io;v=" + version +
                               ";as=APIGroupDiscoveryList,application/json";
    const auto first = rig.ask("GET", "/apis", "", {.accept = accept});
    EXPECT_EQ(first->header("content-type"),
              "application/json;g=apidiscovery.k8s.io;v=" + version + ";as=APIGroupDiscoveryList");
    EXPECT_EQ(first->json()["apiVersion"].as_string(), "apidiscovery.k8s.io/" + version);
    const auto again =
        rig.ask("GET", "/apis", "",
                {.accept = accept, .headers = {{"if-none-match", first->header("etag")}}});
    EXPECT_EQ(again->status, 304);
    EXPECT_EQ(again->body, "");
  }
}

TEST(Discovery, OnlyVersionAndHealthWithoutCredentials) {
  Rig rig;
  const testing::Extra nobody{.user = ""};
  for (const char* path : {"/version", "/healthz", "/livez", "/readyz"}) {
    EXPECT_EQ(rig.ask("GET", path, "", nobody)->status, 200) << path;
  }
  for (const char* path : {"/api", "/apis", "/metrics", "/openapi/v3", "/api/v1/namespaces"}) {
    EXPECT_EQ(rig.ask("GET", path, "", nobody)->status, 403) << path;
  }
  const auto wrong =
      rig.ask("GET", "/version", "", {.user = "", .headers = {{"authorization", "Bearer x"}}});
  EXPECT_EQ(wrong->status, 401);
  EXPECT_EQ(rig.ask("GET", "/readyz/informer-sync")->body, "ok");
  EXPECT_EQ(rig.ask("GET", "/version")->json()["minor"].as_string(), "33");
}

TEST(Discovery, EveryAnswerHasAnAuditIdAndIsCountedAndRecorded) {
  Rig rig;
  rig.audit.clear();
  const auto answer = rig.ask("GET", "/api/v1/namespaces/none");
  EXPECT_FALSE(answer->header("audit-id").empty());
  EXPECT_EQ(answer->header("cache-control"), "no-cache, private");
  ASSERT_EQ(rig.audit.size(), 1u);
  EXPECT_EQ(rig.audit[0].code, 404);
  EXPECT_EQ(rig.audit[0].user, "admin");
  EXPECT_NE(rig.ask("GET", "/metrics")->body.find("apiserver_request_total"), std::string::npos);
}

}  // namespace
}  // namespace keelway::apiserver
