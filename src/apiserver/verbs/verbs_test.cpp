#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"
#include "base/encoding.h"

namespace keelway::apiserver {
namespace {

using testing::Extra;
using testing::Rig;

const std::string kMaps = "/api/v1/namespaces/default/configmaps";

std::string config_map(const std::string& name, const std::string& data = "x") {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name +
         R"("},"data":{"k":")" + data + R"("}})";
}

std::string pod(const std::string& name, const std::string& more = "") {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
         R"(","labels":{"app":")" + name + R"("}},"spec":{)" + more +
         R"("containers":[{"name":"c","image":"busybox:1"}]}})";
}

TEST(Verbs, CreateReadUpdateDelete) {
  Rig rig;
  const auto made = rig.ask("POST", kMaps, config_map("a"));
  ASSERT_EQ(made->status, 201) << made->body;
  const auto object = made->json();
  EXPECT_EQ(object.at("metadata", "namespace").as_string(), "default");
  EXPECT_FALSE(object.at("metadata", "uid").as_string().empty());
  EXPECT_FALSE(object.at("metadata", "resourceVersion").as_string().empty());

  const auto read = rig.ask("GET", kMaps + "/a");
  EXPECT_EQ(read->status, 200);
  EXPECT_EQ(read->json(), object);

  auto changed = object;
  changed.mutate("data").set("k", "y");
  const auto updated = rig.ask("PUT", kMaps + "/a", value::to_json(changed));
  ASSERT_EQ(updated->status, 200) << updated->body;
  EXPECT_EQ(updated->json().at("data", "k").as_string(), "y");
  const auto stale = rig.ask("PUT", kMaps + "/a", value::to_json(changed));
  EXPECT_EQ(stale->status, 409);
  EXPECT_EQ(stale->json()["reason"].as_string(), "Conflict");

  const auto same = rig.ask("PUT", kMaps + "/a", updated->body);
  EXPECT_EQ(same->json(), updated->json()) << "a write that changes nothing keeps the revision";

  const auto removed = rig.ask("DELETE", kMaps + "/a");
  EXPECT_EQ(removed->status, 200);
  EXPECT_EQ(removed->json()["status"].as_string(), "Success");
  EXPECT_EQ(rig.ask("GET", kMaps + "/a")->status, 404);
}

// Typed clients encode the options with the version of what they delete.
TEST(Verbs, DeleteOptionsInProtobufMayNameAnyVersion) {
  Rig rig;
  for (const std::string version : {"v1", "apps/v1", "meta.k8s.io/v1"}) {
    ASSERT_EQ(rig.ask("POST", kMaps, config_map("a"))->status, 201);
    const std::string type = "\x0a" + std::string(1, static_cast<char>(version.size())) + version +
                             "\x12\x0d"
                             "DeleteOptions";
    const std::string body = std::string("k8s\0\x0a", 5) +
                             std::string(1, static_cast<char>(type.size())) + type +
                             std::string("\x12\x00", 2);
    const auto removed = rig.ask("DELETE", kMaps + "/a", body,
                                 {.content_type = "application/vnd.kubernetes.protobuf"});
    EXPECT_EQ(removed->status, 200) << version << removed->body;
  }
}

TEST(Verbs, CreateRefusesWhatExistsAndWhatDoesNotFit) {
  Rig rig;
  EXPECT_EQ(rig.ask("POST", kMaps, config_map("a"))->status, 201);
  const auto again = rig.ask("POST", kMaps, config_map("a"));
  EXPECT_EQ(again->status, 409);
  EXPECT_EQ(again->json()["message"].as_string(), R"(configmaps "a" already exists)");
  EXPECT_EQ(
      rig.ask("POST", kMaps, R"({"metadata":{"name":"b","namespace":"kube-system"}})")->status,
      400);
  EXPECT_EQ(rig.ask("POST", kMaps, R"({"metadata":{"name":"Not Valid"}})")->status, 422);
  EXPECT_EQ(rig.ask("POST", "/api/v1/configmaps", config_map("c"))->status, 405);
  EXPECT_EQ(rig.ask("POST", "/api/v1/namespaces/none/configmaps", config_map("c"))->status, 404);
  EXPECT_EQ(rig.ask("POST", kMaps, "<a/>", {.content_type = "text/xml"})->status, 415);
  EXPECT_EQ(rig.ask("GET", "/api/v1/nothings")->status, 404);
}

TEST(Verbs, GeneratedNamesAreDistinct) {
  Rig rig;
  const std::string body = R"({"metadata":{"generateName":"g-"}})";
  const auto a = rig.ask("POST", kMaps, body)->json();
  const auto b = rig.ask("POST", kMaps, body)->json();
  EXPECT_TRUE(a.at("metadata", "name").as_string().starts_with("g-"));
  EXPECT_NE(a.at("metadata", "name"), b.at("metadata", "name"));
}

TEST(Verbs, DryRunWritesNothing) {
  Rig rig;
  EXPECT_EQ(rig.ask("POST", kMaps + "?dryRun=All", config_map("a"))->status, 201);
  EXPECT_EQ(rig.ask("GET", kMaps + "/a")->status, 404);
}

TEST(Verbs, PagesOfOneListShowOneRevision) {
  Rig rig;
  for (const char* name : {"a", "b", "c", "d", "e"}) rig.ask("POST", kMaps, config_map(name));
  const auto first = rig.ask("GET", kMaps + "?limit=2")->json();
  ASSERT_EQ(first["items"].size(), 2u);
  EXPECT_EQ(first.at("metadata", "remainingItemCount").as_int(), 3);
  rig.ask("DELETE", kMaps + "/c");
  const std::string token = first.at("metadata", "continue").as_string();
  const auto second = rig.ask("GET", kMaps + "?limit=2&continue=" + token)->json();
  ASSERT_EQ(second["items"].size(), 2u);
  EXPECT_EQ(second["items"][0].at("metadata", "name").as_string(), "c");
  EXPECT_EQ(second.at("metadata", "remainingItemCount").as_int(), 1);
  EXPECT_EQ(second.at("metadata", "resourceVersion"), first.at("metadata", "resourceVersion"));
}

// The page before it may have come from a server that is ahead of this one.
TEST(Verbs, AContinuedListWaitsForItsRevision) {
  Rig rig;
  for (const char* name : {"a", "b", "c"}) rig.ask("POST", kMaps, config_map(name));
  const auto first = rig.ask("GET", kMaps + "?limit=1")->json();
  const auto text = base::base64url_decode(first.at("metadata", "continue").as_string());
  auto token = value::parse_json(text.value()).value();
  token.set("rv", token["rv"].as_int() + 1);
  const std::string next =
      kMaps + "?limit=1&continue=" + base::base64url_encode(value::to_json(token));
  const auto page = rig.open("GET", next);
  EXPECT_FALSE(page->complete) << page->status << page->body;
  rig.ask("POST", kMaps, config_map("d"));
  rig.run_for(std::chrono::milliseconds(50));
  ASSERT_EQ(page->status, 200) << page->body;
  EXPECT_EQ(page->json()["items"][0].at("metadata", "name").as_string(), "b");
  EXPECT_EQ(page->json().at("metadata", "resourceVersion").as_string(),
            std::to_string(token["rv"].as_int()));
}

TEST(Verbs, SelectorsChooseAndUnknownFieldsAreRefused) {
  Rig rig;
  const std::string pods = "/api/v1/namespaces/default/pods";
  ASSERT_EQ(rig.ask("POST", pods, pod("a"))->status, 201);
  ASSERT_EQ(rig.ask("POST", pods, pod("b", R"("nodeName":"n1",)"))->status, 201);
  const auto count = [&](const std::string& query) {
    return rig.ask("GET", pods + "?" + query)->json()["items"].size();
  };
  EXPECT_EQ(count("labelSelector=app%3Da"), 1u);
  EXPECT_EQ(count("labelSelector=app"), 2u);
  EXPECT_EQ(count("fieldSelector=spec.nodeName%3Dn1"), 1u);
  EXPECT_EQ(count("fieldSelector=status.phase%3DPending"), 2u);
  const auto refused = rig.ask("GET", pods + "?fieldSelector=spec.image%3Dx");
  EXPECT_EQ(refused->status, 400);
  EXPECT_EQ(refused->json()["message"].as_string(), "field label not supported: spec.image");
}

TEST(Verbs, BoundPodsGoGracefullyOthersAtOnce) {
  Rig rig;
  const std::string pods = "/api/v1/namespaces/default/pods";
  rig.ask("POST", pods, pod("free"));
  EXPECT_EQ(rig.ask("DELETE", pods + "/free")->status, 200);
  EXPECT_EQ(rig.ask("GET", pods + "/free")->status, 404);

  rig.ask("POST", pods, pod("bound", R"("nodeName":"n1",)"));
  const auto going = rig.ask("DELETE", pods + "/bound")->json();
  EXPECT_EQ(going.at("metadata", "deletionGracePeriodSeconds").as_int(), 30);
  EXPECT_FALSE(rig.ask("GET", pods + "/bound")->json()["metadata"]["deletionTimestamp"].is_null());
  rig.ask("DELETE", pods + "/bound?gracePeriodSeconds=0");
  EXPECT_EQ(rig.ask("GET", pods + "/bound")->status, 404);
}

TEST(Verbs, FinalizersHoldAnObjectUntilTheLastIsGone) {
  Rig rig;
  rig.ask("POST", kMaps, R"({"metadata":{"name":"a","finalizers":["example.com/x"]}})");
  const auto going = rig.ask("DELETE", kMaps + "/a")->json();
  EXPECT_FALSE(going["metadata"]["deletionTimestamp"].is_null());
  const Extra merge{.content_type = "application/merge-patch+json"};
  EXPECT_EQ(rig.ask("PATCH", kMaps + "/a", R"({"metadata":{"finalizers":null}})", merge)->status,
            200);
  EXPECT_EQ(rig.ask("GET", kMaps + "/a")->status, 404);
}

TEST(Verbs, DeletePreconditionsAreHeld) {
  Rig rig;
  rig.ask("POST", kMaps, config_map("a"));
  EXPECT_EQ(rig.ask("DELETE", kMaps + "/a", R"({"preconditions":{"uid":"other"}})")->status, 409);
  EXPECT_EQ(rig.ask("GET", kMaps + "/a")->status, 200);
}

TEST(Verbs, DeleteCollectionTakesWhatIsSelected) {
  Rig rig;
  const std::string pods = "/api/v1/namespaces/default/pods";
  for (const char* name : {"a", "b"}) rig.ask("POST", pods, pod(name));
  EXPECT_EQ(rig.ask("DELETE", pods + "?labelSelector=app%3Da")->status, 200);
  const auto left = rig.ask("GET", pods)->json()["items"];
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].at("metadata", "name").as_string(), "b");
}

TEST(Verbs, StatusAndSpecAreApart) {
  Rig rig;
  const std::string pods = "/api/v1/namespaces/default/pods";
  auto object = rig.ask("POST", pods, pod("a"))->json();
  auto with_status = object;
  with_status.mutate("status").set("phase", "Running");
  rig.ask("PUT", pods + "/a", value::to_json(with_status));
  EXPECT_EQ(rig.ask("GET", pods + "/a")->json().at("status", "phase").as_string(), "Pending");
  const auto written = rig.ask("PUT", pods + "/a/status", value::to_json(with_status));
  EXPECT_EQ(written->status, 200) << written->body;
  EXPECT_EQ(written->json().at("status", "phase").as_string(), "Running");
}

TEST(Verbs, AnswersNameTheFlowOfWhoAsks) {
  Rig rig;
  const auto uids_of = [&](const Extra& extra) {
    const auto answer = rig.ask("GET", kMaps, "", extra);
    return std::pair(answer->header("x-kubernetes-pf-flowschema-uid"),
                     answer->header("x-kubernetes-pf-prioritylevel-uid"));
  };
  const auto named = [](access::FlowSchema schema) {
    return std::pair(std::string(access::flow_schema_uid(schema)),
                     std::string(access::level_uid(access::level_of(schema))));
  };
  EXPECT_EQ(uids_of({}), named(access::FlowSchema::exempt));
  EXPECT_EQ(uids_of({.user = "bob"}), named(access::FlowSchema::global_default))
      << "who is refused";
  EXPECT_EQ(uids_of({.user = "system:node:n|system:nodes"}),
            named(access::FlowSchema::system_nodes));
  EXPECT_EQ(uids_of({.user = "", .headers = {{"authorization", "Bearer x"}}}),
            std::pair(std::string(), std::string()))
      << "who is nobody";
}

TEST(Verbs, WhatJsonCannotHoldStaysOutside) {
  Rig rig;
  const Extra extra{.headers = {{"impersonate-user", "\xff"}}};
  EXPECT_EQ(rig.ask("GET", kMaps, "", extra)->status, 400);
  ASSERT_EQ(rig.ask("POST", kMaps, config_map("a"))->status, 201);
  for (const std::string target :
       {"/%ff", "?fieldManager=%ff", "?labelSelector=a%3D%zz", "/a\xff"}) {
    for (const char* method : {"GET", "POST", "DELETE"}) {
      const auto answer = rig.ask(method, kMaps + target, config_map("b"));
      EXPECT_EQ(answer->status, 400) << method << target << answer->body;
      EXPECT_TRUE(value::parse_json(answer->body)) << answer->body;
    }
  }
  EXPECT_EQ(rig.ask("G\xff", kMaps)->status, 400);
  EXPECT_EQ(rig.ask("GET", kMaps + "/a")->status, 200) << "a selector that was dropped";
  EXPECT_EQ(rig.ask("GET", kMaps + "/%C3%A9")->status, 404);
}

TEST(Verbs, JsonAndMergePatches) {
  Rig rig;
  rig.ask("POST", kMaps, config_map("a"));
  const auto json = rig.ask("PATCH", kMaps + "/a", R"([{"op":"add","path":"/data/n","value":"1"}])",
                            {.content_type = "application/json-patch+json"});
  EXPECT_EQ(json->json().at("data", "n").as_string(), "1") << json->body;
  const auto bad = rig.ask("PATCH", kMaps + "/a", R"([{"op":"remove","path":"/nothing"}])",
                           {.content_type = "application/json-patch+json"});
  EXPECT_EQ(bad->status, 422);
  EXPECT_FALSE(bad->json().contains("details")) << "no reason is told, as upstream";
  const auto conflict = rig.ask("PATCH", kMaps + "/a", R"({"metadata":{"resourceVersion":"1"}})",
                                {.content_type = "application/merge-patch+json"});
  EXPECT_EQ(conflict->status, 409);
  EXPECT_EQ(rig.ask("PATCH", kMaps + "/a", "{}", {.content_type = "text/plain"})->status, 415);
}

TEST(Verbs, ReadsWaitForTheRevisionTheyNameAndGiveUp) {
  Rig rig;
  const auto late = rig.ask("GET", kMaps + "?resourceVersion=999999");
  EXPECT_EQ(late->status, 504);
  EXPECT_EQ(late->json()["details"]["causes"][0]["reason"].as_string(), "ResourceVersionTooLarge");
  EXPECT_EQ(rig.ask("GET", kMaps + "?resourceVersionMatch=Exact")->status, 422);
}

TEST(Verbs, UpdatesOfAMissingObjectCreateOnlyWhereTheKindSaysSo) {
  Rig rig;
  EXPECT_EQ(rig.ask("PUT", kMaps + "/a", config_map("a"))->status, 404);
  const auto lease = rig.ask("PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l",
                             R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",)"
                             R"("metadata":{"name":"l"},"spec":{}})");
  EXPECT_EQ(lease->status, 201) << lease->body;
}

// To change what is there and to bring something into being are two permissions.
TEST(Verbs, WhoMayOnlyChangeDoesNotCreate) {
  Rig rig;
  const std::string roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/";
  const auto role = rig.ask("POST", roles + "roles",
                            R"({"metadata":{"name":"changer"},"rules":[)"
                            R"({"apiGroups":[""],"resources":["configmaps"],"verbs":["patch"]},)"
                            R"({"apiGroups":["coordination.k8s.io"],"resources":["leases"],)"
                            R"("verbs":["update"]}]})");
  ASSERT_EQ(role->status, 201) << role->body;
  ASSERT_EQ(rig.ask("POST", roles + "rolebindings",
                    R"({"metadata":{"name":"changer"},"roleRef":{)"
                    R"("apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"changer"},)"
                    R"("subjects":[{"kind":"User","name":"ada",)"
                    R"("apiGroup":"rbac.authorization.k8s.io"}]})")
                ->status,
            201);
  rig.ask("POST", kMaps, config_map("old"));
  const Extra apply{.content_type = "application/apply-patch+yaml", .user = "ada"};
  const std::string query = "?fieldManager=m&force=true";
  EXPECT_EQ(rig.ask("PATCH", kMaps + "/old" + query, config_map("old"), apply)->status, 200);
  const auto made = rig.ask("PATCH", kMaps + "/new" + query, config_map("new"), apply);
  EXPECT_EQ(made->status, 403) << made->body;
  EXPECT_NE(made->body.find("cannot create resource"), std::string::npos) << made->body;
  const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
  const std::string lease = R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",)"
                            R"("metadata":{"name":"l"},"spec":{}})";
  EXPECT_EQ(rig.ask("PUT", leases + "/l", lease, {.user = "ada"})->status, 403);
  const auto stored = rig.ask("POST", leases, lease);
  EXPECT_EQ(rig.ask("PUT", leases + "/l", stored->body, {.user = "ada"})->status, 200);
}

TEST(Verbs, ADeletionAtOnceIsNotPutOff) {
  Rig rig;
  const std::string pods = "/api/v1/namespaces/default/pods";
  auto held = value::parse_json(pod("p", R"("nodeName":"n",)")).value();
  held.mutate("metadata").set("finalizers", value::Value::array({"ex.dev/hold"}));
  ASSERT_EQ(rig.ask("POST", pods, value::to_json(held))->status, 201);
  rig.ask("DELETE", pods + "/p", R"({"gracePeriodSeconds":0})");
  rig.ask("DELETE", pods + "/p");
  const auto deleting = rig.ask("GET", pods + "/p")->json();
  EXPECT_EQ(deleting.at("metadata", "deletionGracePeriodSeconds").as_int(-1), 0);
  rig.ask("PATCH", pods + "/p", R"({"metadata":{"finalizers":null}})",
          {.content_type = "application/merge-patch+json"});
  EXPECT_EQ(rig.ask("GET", pods + "/p")->status, 404);
}

TEST(Verbs, ALargeCollectionGoesInBatchesThatLetOthersIn) {
  Rig rig;
  for (int i = 0; i < 200; ++i) rig.ask("POST", kMaps, config_map("m" + std::to_string(i)));
  const auto sweep = std::make_shared<testing::FakeExchange>();
  http::Request request;
  request.method = "DELETE";
  request.target = kMaps;
  request.headers.emplace_back("authorization", "Bearer k8s-aws-v1.admin");
  bool between = false;
  rig.executor->post([&] { rig.server->handle(std::move(request), sweep); });
  std::size_t least = 200;
  const auto end = rig.world->now() + std::chrono::seconds(5);
  while (!sweep->complete && rig.world->step(end)) {
    const auto left = rig.ask("GET", kMaps)->json()["items"].size();
    between = between || (left > 0 && left < 200 && !sweep->complete);
    least = std::min(least, left);
  }
  EXPECT_EQ(sweep->status, 200) << sweep->body;
  EXPECT_EQ(least, 0u);
  EXPECT_TRUE(between) << "nobody was answered while the collection went";
}

}  // namespace
}  // namespace keelway::apiserver
