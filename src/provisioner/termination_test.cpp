#include "provisioner/termination.h"

#include <gtest/gtest.h>

#include "provisioner/names.h"
#include "provisioner/testing/fixtures.h"

namespace keelway::provisioner {
namespace {

using namespace testing;
using namespace std::chrono_literals;
namespace resources = client::resources;

constexpr base::WallTime deleted_at{1'767'225'600'000'000};

struct Scene {
  HandView hand;
  Scene() {
    hand.put(resources::node_claims,
             doc(R"({"metadata":{"name":"c","uid":"u","deletionTimestamp":"2026-01-01T00:00:00Z",
                     "finalizers":["karpenter.sh/termination","other"]}})"));
    hand.put(resources::nodes, doc(R"({"metadata":{"name":"n","uid":"nu"},"spec":{
                     "taints":[{"key":"karpenter.sh/disrupted","effect":"NoSchedule"}]}})"));
  }
  void pod(const std::string& name, std::string_view more = "{}") {
    value::Value pod = pod_document(name, "1", "1Gi", more);
    pod.mutate("spec").set("nodeName", "n");
    hand.put(resources::pods, pod);
  }
  reconcile::Plan plan(base::Duration after = 0s) {
    const value::Value claim = hand.get(resources::node_claims, "c");
    return plan_termination(hand.view(), claim, hand.view().get(resources::nodes, "", "n"),
                            deleted_at + after);
  }
};

TEST(Termination, KeepsNewPodsAwayFirst) {
  Scene scene;
  scene.hand.put(resources::nodes, doc(R"({"metadata":{"name":"n","uid":"nu"}})"));
  scene.pod("p");
  const auto plan = scene.plan();
  ASSERT_EQ(plan.actions.size(), 1u);
  const value::Value& node = call_of(plan.actions[0]).body;
  EXPECT_EQ(node.at("spec", "taints")[0]["key"].as_string(), disrupted_taint);
}

TEST(Termination, EvictsWhatWouldNotComeBack) {
  Scene scene;
  scene.pod("plain");
  scene.pod("tolerant", R"({"tolerations":[{"operator":"Exists"}]})");
  const auto plan = scene.plan();
  ASSERT_EQ(plan.actions.size(), 1u);
  EXPECT_EQ(call_of(plan.actions[0]).name, "plain");
  EXPECT_EQ(call_of(plan.actions[0]).subresource, "eviction");
  EXPECT_TRUE(std::holds_alternative<reconcile::After>(plan.next));
}

TEST(Termination, BudgetsEndInTimeForThePodToEnd) {
  Scene scene;
  value::Value claim = scene.hand.get(resources::node_claims, "c");
  claim.mutate("spec").set("terminationGracePeriod", "5m");
  scene.hand.put(resources::node_claims, claim);
  scene.pod("p", R"({"terminationGracePeriodSeconds":60})");
  EXPECT_EQ(call_of(scene.plan(3min).actions[0]).subresource, "eviction");

  const auto late = scene.plan(4min + 10s);
  const client::Call& removal = call_of(late.actions[0]);
  EXPECT_EQ(removal.verb, client::Verb::remove);
  EXPECT_EQ(removal.body["gracePeriodSeconds"].as_int(), 50);
  ASSERT_TRUE(std::holds_alternative<reconcile::After>(late.next));
  EXPECT_EQ(std::get<reconcile::After>(late.next).wait, 50s);

  // At the limit the machine goes, whatever still runs on it.
  const auto over = scene.plan(5min);
  ASSERT_EQ(over.actions.size(), 3u);
  EXPECT_EQ(effect_of(over.actions[0]).name, "terminate");
}

TEST(Termination, APodThatAsksNotToBeDisruptedStaysUntilTheLimit) {
  Scene scene;
  value::Value pod = pod_document("p", "1", "1Gi", R"({"nodeName":"n"})");
  pod.mutate("metadata", "annotations").set(do_not_disrupt, "true");
  scene.hand.put(resources::pods, pod);
  EXPECT_TRUE(scene.plan().actions.empty());
  EXPECT_TRUE(std::holds_alternative<reconcile::After>(scene.plan().next));

  value::Value claim = scene.hand.get(resources::node_claims, "c");
  claim.mutate("spec").set("terminationGracePeriod", "5m");
  scene.hand.put(resources::node_claims, claim);
  EXPECT_TRUE(scene.plan(1min).actions.empty());
  EXPECT_EQ(call_of(scene.plan(5min - 10s).actions.at(0)).verb, client::Verb::remove);
}

TEST(Termination, WaitsForPodsThatEndAndForTheLimit) {
  Scene scene;
  value::Value pod = pod_document("p", "1", "1Gi", R"({"nodeName":"n"})");
  pod.mutate("metadata").set("deletionTimestamp", "2026-01-01T00:04:30Z");
  scene.hand.put(resources::pods, pod);
  const auto waiting = scene.plan();
  EXPECT_TRUE(waiting.actions.empty());
  ASSERT_TRUE(std::holds_alternative<reconcile::After>(waiting.next));
  EXPECT_EQ(std::get<reconcile::After>(waiting.next).wait, 5min + 30s);

  value::Value claim = scene.hand.get(resources::node_claims, "c");
  claim.mutate("spec").set("terminationGracePeriod", "5m");
  scene.hand.put(resources::node_claims, claim);
  const auto plan = scene.plan(1min);
  EXPECT_TRUE(plan.actions.empty());
  ASSERT_TRUE(std::holds_alternative<reconcile::After>(plan.next));
  EXPECT_EQ(std::get<reconcile::After>(plan.next).wait, 4min);
}

TEST(Termination, APodThatDoesNotEndHoldsItsNodeForAMinute) {
  Scene scene;
  value::Value pod = pod_document("p", "1", "1Gi", R"({"nodeName":"n"})");
  pod.mutate("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  pod.mutate("metadata").set("finalizers", doc(R"(["example.com/hold"])"));
  scene.hand.put(resources::pods, pod);
  const auto early = scene.plan(59s);
  EXPECT_TRUE(early.actions.empty());
  EXPECT_EQ(std::get<reconcile::After>(early.next).wait, 1s);
  EXPECT_EQ(effect_of(scene.plan(61s).actions.at(0)).name, "terminate");
}

TEST(Termination, NoRefusalOfAnEvictionHoldsUpTheOthers) {
  Scene scene;
  scene.pod("a");
  scene.pod("b");
  const auto plan = scene.plan();
  ASSERT_EQ(plan.actions.size(), 2u);
  for (const auto& action : plan.actions) {
    EXPECT_EQ(action.tolerated, std::vector<std::string>{"*"});
  }
}

TEST(Termination, WhatHasNoTimeLeftGoesBeforeWhatMayBeRefused) {
  Scene scene;
  value::Value claim = scene.hand.get(resources::node_claims, "c");
  claim.mutate("spec").set("terminationGracePeriod", "5m");
  scene.hand.put(resources::node_claims, claim);
  scene.pod("a", R"({"terminationGracePeriodSeconds":10})");
  scene.pod("b", R"({"terminationGracePeriodSeconds":120})");
  const auto plan = scene.plan(4min);
  ASSERT_EQ(plan.actions.size(), 2u);
  EXPECT_EQ(call_of(plan.actions[0]).name, "b");
  EXPECT_EQ(call_of(plan.actions[0]).verb, client::Verb::remove);
  EXPECT_EQ(call_of(plan.actions[1]).name, "a");
}

TEST(Termination, TheMachineOfAnEmptyNodeGoesThenTheNodeThenTheClaim) {
  Scene scene;
  const auto plan = scene.plan();
  ASSERT_EQ(plan.actions.size(), 3u);
  EXPECT_EQ(effect_of(plan.actions[0]).name, "terminate");
  EXPECT_EQ(effect_of(plan.actions[0]).token, "u");
  EXPECT_EQ(call_of(plan.actions[1]).verb, client::Verb::remove);
  EXPECT_EQ(call_of(plan.actions[1]).resource, resources::nodes);
  const value::Value& claim = call_of(plan.actions[2]).body;
  ASSERT_EQ(claim.at("metadata", "finalizers").size(), 1u);
  EXPECT_EQ(claim.at("metadata", "finalizers")[0].as_string(), "other");
}

TEST(Termination, TheNodeIsLetGoAfterItsMachine) {
  Scene scene;
  value::Value node = scene.hand.get(resources::nodes, "n");
  node.mutate("metadata").set("finalizers", doc(R"(["karpenter.sh/termination","other"])"));
  scene.hand.put(resources::nodes, node);
  const auto plan = scene.plan();
  ASSERT_EQ(plan.actions.size(), 4u);
  EXPECT_EQ(effect_of(plan.actions[0]).name, "terminate");
  const client::Call& release = call_of(plan.actions[1]);
  EXPECT_EQ(release.resource, resources::nodes);
  EXPECT_EQ(value::to_json(release.body.at("metadata", "finalizers")), R"(["other"])");
  EXPECT_EQ(call_of(plan.actions[2]).verb, client::Verb::remove);
}

}  // namespace
}  // namespace keelway::provisioner
