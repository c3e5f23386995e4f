#include <gtest/gtest.h>

#include <set>

#include "apiserver/strategy/service.h"
#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

const std::string kPods = "/api/v1/namespaces/default/pods";
const std::string kServices = "/api/v1/namespaces/default/services";

std::string service(const std::string& name, const std::string& spec = "") {
  return R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")" + name + R"("},"spec":{)" +
         spec + R"("ports":[{"port":80}]}})";
}

std::string pod(const std::string& name) {
  return R"({"metadata":{"name":")" + name +
         R"(","labels":{"app":"a"}},"spec":{"containers":[{"name":"c","image":"i:1"}]}})";
}

TEST(Service, RangesAndAddresses) {
  const auto range = parse_service_range("10.100.0.0/16");
  ASSERT_TRUE(range);
  EXPECT_EQ(format_address(range->base + 1), "10.100.0.1");
  EXPECT_EQ(range->count, 65534u);
  EXPECT_FALSE(parse_service_range("10.100.0.0/30"));
  EXPECT_FALSE(parse_address("10.100.0"));
  EXPECT_FALSE(parse_address("10.100.0.256"));
}

TEST(Service, TheServerItselfHasTheFirstAddress) {
  Rig rig;
  EXPECT_EQ(rig.ask("GET", kServices + "/kubernetes")->json().at("spec", "clusterIP").as_string(),
            "10.100.0.1");
}

TEST(Service, AddressesAreDistinctAndComeBack) {
  Rig rig;
  const auto a = rig.ask("POST", kServices, service("a"));
  ASSERT_EQ(a->status, 201) << a->body;
  const std::string address = a->json().at("spec", "clusterIP").as_string();
  EXPECT_TRUE(address.starts_with("10.100."));
  EXPECT_EQ(a->json().at("spec", "clusterIPs")[0].as_string(), address);
  const std::string same = R"("clusterIP":")" + address + R"(",)";
  const auto taken = rig.ask("POST", kServices, service("b", same));
  EXPECT_EQ(taken->status, 422);
  EXPECT_NE(taken->body.find("already allocated"), std::string::npos);
  rig.ask("DELETE", kServices + "/a");
  EXPECT_EQ(rig.ask("POST", kServices, service("b", same))->status, 201);
  EXPECT_EQ(rig.ask("POST", kServices, service("c", R"("clusterIP":"1.2.3.4",)"))->status, 422);
  const auto moved = rig.ask("PATCH", kServices + "/b", R"({"spec":{"clusterIP":"1.2.3.4"}})",
                             {.content_type = "application/merge-patch+json"});
  EXPECT_EQ(moved->json()["message"].as_string(),
            "Service \"b\" is invalid: spec.clusterIPs[0]: Invalid value: []string{\"1.2.3.4\"}: "
            "may not change once set");
  const auto headless = rig.ask("POST", kServices, service("d", R"("clusterIP":"None",)"));
  EXPECT_EQ(headless->json().at("spec", "clusterIP").as_string(), "None") << headless->body;
}

TEST(Service, NodePortsAreGivenKeptAndTaken) {
  Rig rig;
  const auto a = rig.ask("POST", kServices, service("a", R"("type":"NodePort",)"))->json();
  const std::int64_t port = a.at("spec", "ports")[0]["nodePort"].as_int();
  EXPECT_GE(port, 30000);
  EXPECT_LE(port, 32767);
  auto bare = a;
  bare.mutate("spec").mutate("ports").mutable_items()[0].erase("nodePort");
  const auto updated = rig.ask("PUT", kServices + "/a", value::to_json(bare));
  EXPECT_EQ(updated->json().at("spec", "ports")[0]["nodePort"].as_int(), port) << updated->body;
  const auto clash = rig.ask(
      "POST", kServices,
      R"({"metadata":{"name":"b"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":)" +
          std::to_string(port) + "}]}}");
  EXPECT_EQ(clash->status, 422);
}

// The update that ends an object may change what stands beside it as well.
TEST(Service, ItsEndFreesThePortsThatTheLastUpdateChanged) {
  Rig rig;
  const std::string held = R"({"metadata":{"name":"a","finalizers":["ex.dev/hold"]},)"
                           R"("spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30080}]}})";
  ASSERT_EQ(rig.ask("POST", kServices, held)->status, 201);
  rig.ask("DELETE", kServices + "/a");
  const auto ended = rig.ask("PATCH", kServices + "/a",
                             R"({"metadata":{"finalizers":null},"spec":{"type":"ClusterIP",)"
                             R"("ports":[{"name":"b","port":81}]}})",
                             {.content_type = "application/merge-patch+json"});
  EXPECT_EQ(ended->status, 200) << ended->body;
  EXPECT_EQ(rig.ask("GET", kServices + "/a")->status, 404);
  EXPECT_EQ(rig.ask("POST", kServices, held)->status, 201) << "the port is free";
}

TEST(Pod, BindsOnce) {
  Rig rig;
  rig.ask("POST", kPods, pod("p"));
  const std::string binding = R"({"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},)"
                              R"("target":{"kind":"Node","name":"n1"}})";
  EXPECT_EQ(rig.ask("POST", kPods + "/p/binding", binding)->status, 201);
  const auto bound = rig.ask("GET", kPods + "/p")->json();
  EXPECT_EQ(bound.at("spec", "nodeName").as_string(), "n1");
  EXPECT_EQ(bound.at("status", "conditions")[0]["type"].as_string(), "PodScheduled");
  EXPECT_EQ(rig.ask("POST", kPods + "/p/binding", binding)->status, 409);
}

std::string budget(int allowed) {
  return R"({"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"b"},)"
         R"("spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"a"}}},)"
         R"("status":{"observedGeneration":1,"disruptionsAllowed":)" +
         std::to_string(allowed) + R"(,"currentHealthy":1,"desiredHealthy":1,"expectedPods":1}})";
}

TEST(Pod, EvictionAsksTheBudget) {
  Rig rig;
  const std::string budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
  const std::string eviction =
      R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}})";
  auto object = rig.ask("POST", kPods, pod("p"))->json();
  object.mutate("status").set("phase", "Running");
  object.mutate("status").set("conditions",
                              value::parse_json(R"([{"type":"Ready","status":"True"}])").value());
  ASSERT_EQ(rig.ask("PUT", kPods + "/p/status", value::to_json(object))->status, 200);
  ASSERT_EQ(rig.ask("POST", budgets, budget(0))->status, 201);
  const testing::Extra merge{.content_type = "application/merge-patch+json"};
  ASSERT_EQ(rig.ask("PATCH", budgets + "/b/status", budget(0), merge)->status, 200);
  const auto refused = rig.ask("POST", kPods + "/p/eviction", eviction);
  EXPECT_EQ(refused->status, 429);
  EXPECT_EQ(refused->json()["details"]["causes"][0]["message"].as_string(),
            "The disruption budget b needs 1 healthy pods and has 1 currently");
  rig.ask("PATCH", budgets + "/b/status", budget(1), merge);
  // As kubectl drain may ask: only what it has seen.
  auto exact = value::parse_json(eviction).value();
  const auto seen = rig.ask("GET", kPods + "/p")->json().at("metadata", "resourceVersion");
  exact.set(
      "deleteOptions",
      value::Value::object({{"preconditions", value::Value::object({{"resourceVersion", seen}})}}));
  const auto evicted = rig.ask("POST", kPods + "/p/eviction", value::to_json(exact));
  EXPECT_EQ(evicted->status, 201) << evicted->body;
  const auto charged = rig.ask("GET", budgets + "/b")->json();
  EXPECT_EQ(charged.at("status", "disruptionsAllowed").as_int(), 0);
  EXPECT_TRUE(charged.at("status", "disruptedPods").contains("p"));
  EXPECT_EQ(rig.ask("GET", kPods + "/p")->status, 404);
}

TEST(Namespace, StaysUntilItIsFinalized) {
  Rig rig;
  rig.ask("POST", "/api/v1/namespaces", R"({"metadata":{"name":"n"}})");
  const auto going = rig.ask("DELETE", "/api/v1/namespaces/n")->json();
  EXPECT_EQ(going.at("status", "phase").as_string(), "Terminating");
  const auto refused =
      rig.ask("POST", "/api/v1/namespaces/n/configmaps", R"({"metadata":{"name":"c"}})");
  EXPECT_EQ(refused->status, 403);
  auto done = rig.ask("GET", "/api/v1/namespaces/n")->json();
  done.mutate("spec").erase("finalizers");
  EXPECT_EQ(rig.ask("PUT", "/api/v1/namespaces/n/finalize", value::to_json(done))->status, 200);
  EXPECT_EQ(rig.ask("GET", "/api/v1/namespaces/n")->status, 404);
}

TEST(Scale, IsAViewOfReplicas) {
  Rig rig;
  const std::string deployments = "/apis/apps/v1/namespaces/default/deployments";
  const auto made = rig.ask(
      "POST", deployments,
      R"({"metadata":{"name":"d"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},)"
      R"("template":{"metadata":{"labels":{"a":"b"}},)"
      R"("spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  ASSERT_EQ(made->status, 201) << made->body;
  const auto scale = rig.ask("GET", deployments + "/d/scale")->json();
  EXPECT_EQ(scale["kind"].as_string(), "Scale");
  EXPECT_EQ(scale.at("spec", "replicas").as_int(), 2);
  EXPECT_EQ(scale.at("status", "selector").as_string(), "a=b");
  const auto patched = rig.ask("PATCH", deployments + "/d/scale", R"({"spec":{"replicas":5}})",
                               {.content_type = "application/merge-patch+json"});
  EXPECT_EQ(patched->status, 200) << patched->body;
  const auto deployment = rig.ask("GET", deployments + "/d")->json();
  EXPECT_EQ(deployment.at("spec", "replicas").as_int(), 5);
  EXPECT_EQ(deployment.at("metadata", "generation").as_int(), 2);
}

TEST(Event, TwoViewsOfOneObjectThatLivesAnHour) {
  Rig rig;
  const std::string core = "/api/v1/namespaces/default/events";
  const auto made =
      rig.ask("POST", core,
              R"({"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p",)"
              R"("namespace":"default"},"reason":"Why","message":"said","type":"Normal"})");
  ASSERT_EQ(made->status, 201) << made->body;
  const auto other = rig.ask("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")->json();
  EXPECT_EQ(other["note"].as_string(), "said");
  EXPECT_EQ(other.at("regarding", "name").as_string(), "p");
  EXPECT_EQ(other["apiVersion"].as_string(), "events.k8s.io/v1");
  EXPECT_EQ(rig.ask("GET", core + "?fieldSelector=involvedObject.name%3Dp")->json()["items"].size(),
            1u);
  rig.run_for(std::chrono::minutes(61));
  EXPECT_EQ(rig.ask("GET", core + "/e")->status, 404);
}

TEST(Reviews, AnswerAndAreForgotten) {
  Rig rig;
  const auto self = rig.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
  EXPECT_EQ(self->status, 201) << self->body;
  EXPECT_EQ(self->json().at("status", "userInfo", "username").as_string(), "admin");
  const auto may = rig.ask(
      "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      R"({"spec":{"user":"nobody","resourceAttributes":{"verb":"get","resource":"pods"}}})");
  EXPECT_EQ(may->status, 201) << may->body;
  EXPECT_FALSE(may->json().at("status", "allowed").as_bool(true));
}

}  // namespace
}  // namespace keelway::apiserver
