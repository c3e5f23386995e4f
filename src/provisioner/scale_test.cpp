// Whole plans over large views. KEELWAY_BENCH=1 makes them large and prints how long they take.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "provisioner/loops.h"
#include "provisioner/names.h"
#include "provisioner/testing/fixtures.h"

namespace keelway::provisioner {
namespace {

using namespace testing;
namespace resources = client::resources;

constexpr base::WallTime now{1'767'225'600'000'000};

value::Value claim_document(const std::string& name, bool launched,
                            std::string_view usd_per_hour = "0.001") {
  value::Value claim = doc(R"({"metadata":{"creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{
      "resources":{"requests":{"cpu":"1800m","memory":"2Gi","pods":"10"}}}})");
  claim.mutate("metadata").set("name", name).set("uid", "uid-" + name);
  claim.mutate("metadata", "labels").set(pool_label, "default");
  claim.mutate("metadata", "annotations").set(cost_annotation, usd_per_hour);
  claim.mutate("spec").set("requirements", doc(R"([{"key":"node.kubernetes.io/instance-type",
      "operator":"In","values":["m5.large","m6i.large","m6a.large","c5.large","r5.large"]}])"));
  if (!launched) return claim;
  claim.set("status", doc(R"({"conditions":[{"type":"Launched","status":"True"},
      {"type":"Registered","status":"True"},{"type":"Initialized","status":"True"},
      {"type":"Consolidatable","status":"True"}],
      "allocatable":{"cpu":"1900m","memory":"8Gi","pods":"29"}})"));
  claim.mutate("status").set("nodeName", "n-" + name).set("providerID", "aws:///z/" + name);
  return claim;
}

void put_node(HandView& hand, const std::string& name, std::string_view cpu,
              std::string_view usd_per_hour = "0.001") {
  hand.put(resources::node_claims, claim_document(name, true, usd_per_hour));
  value::Value node = doc(R"({"metadata":{},"status":{"conditions":[{"type":"Ready",
      "status":"True"}],"allocatable":{"memory":"8Gi","pods":"29"}}})");
  node.mutate("metadata").set("name", "n-" + name).set("uid", "node-" + name);
  node.mutate("metadata", "labels").set(pool_label, "default");
  node.mutate("spec").set("providerID", "aws:///z/" + name);
  node.mutate("status", "allocatable").set("cpu", cpu);
  hand.put(resources::nodes, node);
}

value::Value owned_pod(const std::string& name, const std::string& node) {
  value::Value pod = pod_document(name, "180m", "200Mi");
  pod.mutate("metadata").set("ownerReferences", doc(R"([{"kind":"ReplicaSet","name":"r","uid":"r",
                                      "apiVersion":"apps/v1","controller":true}])"));
  if (!node.empty()) {
    pod.mutate("spec").set("nodeName", node);
  } else {
    pod.set("status", doc(R"({"conditions":[{"type":"PodScheduled","status":"False",
                                             "reason":"Unschedulable"}]})"));
  }
  return pod;
}

template <class Loop>
reconcile::Plan timed(const char* what, const Loop& loop, const HandView& hand) {
  const auto start = std::chrono::steady_clock::now();
  reconcile::Plan plan = loop.plan(hand.view(), {}, now, 1);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (std::getenv("KEELWAY_BENCH") != nullptr) printf("%s: %.3f s\n", what, took.count());
  return plan;
}

struct Size {
  int nodes = std::getenv("KEELWAY_BENCH") != nullptr ? 1000 : 30;
  int pods_per_node = 10;
};

void put_full_nodes(HandView& hand, const Size& size, std::string_view usd_per_hour) {
  hand.put(resources::node_pools, pool_document("default"));
  for (int i = 0; i < size.nodes; ++i) {
    const std::string name = "c" + std::to_string(i);
    put_node(hand, name, "1900m", usd_per_hour);
    for (int p = 0; p < size.pods_per_node; ++p) {
      hand.put(resources::pods, owned_pod(name + "-" + std::to_string(p), "n-" + name));
    }
  }
}

TEST(Scale, FullNodesAreLeftAloneWhereNothingIsCheaper) {
  const Size size;
  HandView hand;
  put_full_nodes(hand, size, "0.001");
  const auto loop = make_disruption_loop(catalogue());
  timed("disruption, first plan (parses)", *loop, hand);
  EXPECT_TRUE(timed("disruption, 1,000 full nodes", *loop, hand).actions.empty());
  // One node with room for the pods of another: exactly one moves.
  put_node(hand, "roomy", "1900m");
  const auto plan = timed("disruption, one node empty", *loop, hand);
  ASSERT_EQ(plan.actions.size(), 1u);
  EXPECT_EQ(call_of(plan.actions[0]).name, "roomy");
}

TEST(Scale, DearNodesAreReplacedOneByOne) {
  HandView hand;
  put_full_nodes(hand, Size(), "0.5");
  const auto loop = make_disruption_loop(catalogue());
  timed("disruption, first plan (parses)", *loop, hand);
  const auto plan = timed("disruption, 1,000 dear nodes", *loop, hand);
  ASSERT_EQ(plan.actions.size(), 1u);
  EXPECT_EQ(call_of(plan.actions[0]).verb, client::Verb::create);
}

// Both buy from one view that shows nothing of what the other has just decided.
TEST(Scale, TwoThatBuyAtOnceStayWithinTheLimits) {
  const auto bought = [](std::string_view cpus) {
    HandView hand;
    put_full_nodes(hand, {.nodes = 2, .pods_per_node = 10}, "0.5");
    hand.put(
        resources::node_pools,
        pool_document("default", "[]", R"({"limits":{"nodes":")" + std::string(cpus) + R"("}})"));
    const auto purchases = std::make_shared<Purchases>();
    const auto disruption = make_disruption_loop(catalogue(), purchases);
    const auto provisioning = make_provisioning_loop(catalogue(), purchases);
    std::size_t claims = disruption->plan(hand.view(), {}, now, 1).actions.size();
    EXPECT_EQ(claims, 1u) << "a cheaper node takes over";
    for (int i = 0; i < 200; ++i)
      hand.put(resources::pods, owned_pod("late" + std::to_string(i), ""));
    for (const auto& action : provisioning->plan(hand.view(), {}, now, 2).actions) {
      claims += call_of(action).resource == resources::node_claims ? 1u : 0u;
    }
    return claims;
  };
  EXPECT_EQ(bought("4"), 2u);
  EXPECT_EQ(bought("3"), 1u);
}

TEST(Scale, WaitingPodsCountOnNodesThatAreNotLaunchedYet) {
  const Size size;
  HandView hand;
  hand.put(resources::node_pools, pool_document("default"));
  for (int i = 0; i < size.nodes; ++i) {
    hand.put(resources::node_claims, claim_document("c" + std::to_string(i), false));
    for (int p = 0; p < size.pods_per_node; ++p) {
      hand.put(resources::pods, owned_pod("p" + std::to_string(i * 100 + p), ""));
    }
  }
  const auto loop = make_provisioning_loop(catalogue());
  EXPECT_TRUE(timed("provisioning, 10,000 pods on 1,000 claims", *loop, hand).actions.empty());
  timed("provisioning, the same again", *loop, hand);
  hand.put(resources::pods, owned_pod("one-more", ""));
  EXPECT_EQ(timed("provisioning, one pod more", *loop, hand).actions.size(), 1u);
}

}  // namespace
}  // namespace keelway::provisioner
