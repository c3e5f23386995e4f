// The loops together: which nodes they give back.
#include <gtest/gtest.h>

#include <cmath>

#include "provisioner/testing/cluster.h"

namespace keelway::provisioner {
namespace {

using namespace testing;
using namespace std::chrono_literals;
namespace resources = client::resources;

TEST(Disruption, MovesPodsTogetherAndHonoursBudgets) {
  Cluster cluster;
  const std::string first = cluster.grow("a");
  const std::string second = cluster.grow("b");
  ASSERT_NE(first, second);
  // Both nodes have lots of room now; a budget of the pods holds the move back.
  for (const std::string& name : {first, second}) {
    value::Value node = cluster.api.get(resources::nodes, "", name)->value();
    node.mutate("status", "allocatable").set("cpu", "8").set("memory", "16Gi");
    cluster.api.put(resources::nodes, node);
  }
  value::Value budget = doc(R"({"metadata":{"name":"all","namespace":"default"},
      "spec":{"selector":{}},"status":{"disruptionsAllowed":0}})");
  cluster.api.put(resources::disruption_budgets, budget);
  cluster.executor.run_for(3min);
  EXPECT_EQ(cluster.claims(), 2u);

  budget.mutate("status").set("disruptionsAllowed", 1);
  cluster.api.put(resources::disruption_budgets, budget);
  cluster.executor.run_for(1s);
  EXPECT_EQ(cluster.going(), 1u);
}

// A node that was bought for a large pod carries a small one, past its quiet time.
std::string grow_too_large(Cluster& cluster, const std::string& capacity_type = "on-demand") {
  value::Value pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "template", "spec")
      .set("requirements", value::Value::array({value::Value::object(
                               {{"key", capacity_type_label},
                                {"operator", "In"},
                                {"values", value::Value::array({capacity_type})}})}));
  cluster.api.put(resources::node_pools, pool);
  std::string node = cluster.grow("large", "14");
  cluster.pend("small", "200m");
  cluster.bind("small", node);
  cluster.api.erase(resources::pods, "default", "large");
  return node;
}

std::int64_t price(const client::ObjectPtr& claim) {
  return std::llround(
      1e6 * std::stod(claim->value().at("metadata", "annotations", cost_annotation).as_string()));
}

TEST(Disruption, ACheaperNodeTakesOver) {
  Cluster cluster;
  const std::string large = grow_too_large(cluster);
  const auto before = cluster.api.list(resources::node_claims).at(0);
  cluster.executor.run_for(1min);
  ASSERT_EQ(cluster.claims(), 2u);
  EXPECT_EQ(cluster.hub.list(resources::machines).size(), 2u);
  EXPECT_FALSE(cluster.api.get(resources::node_claims, "", before->name())->deleting())
      << "what takes over is not there yet";
  cluster.executor.run_for(5min);
  EXPECT_EQ(cluster.claims(), 2u) << "asked for once";

  cluster.boot_nodes();
  cluster.executor.run_for(1s);
  for (const auto& claim : cluster.api.list(resources::node_claims)) {
    EXPECT_EQ(claim->deleting(), claim->name() == before->name());
    EXPECT_LE(price(claim), price(before));
  }
  // Its controller makes the evicted pod again, and the scheduler finds it the new node.
  cluster.executor.run_for(50s);
  EXPECT_EQ(cluster.claims(), 2u) << "the pod is not gone: the new node is kept for it";
  cluster.api.erase(resources::pods, "default", "small");
  cluster.pend("again", "200m");
  cluster.executor.run_for(1s);
  ASSERT_EQ(cluster.claims(), 1u);
  cluster.bind("again", cluster.api.list(resources::nodes).at(0)->name());
  EXPECT_NE(cluster.api.list(resources::nodes).at(0)->name(), large);
  cluster.executor.run_for(1h);
  EXPECT_EQ(cluster.claims(), 1u) << "it is the cheapest for its pod";
  EXPECT_EQ(cluster.cloud.launches.size(), 2u);
}

TEST(Disruption, WhatWouldTakeOverInVainGoesAgain) {
  Cluster cluster;
  const std::string large = grow_too_large(cluster);
  const auto before = cluster.api.list(resources::node_claims).at(0);
  cluster.executor.run_for(1min);
  ASSERT_EQ(cluster.claims(), 2u);
  // More than the new node takes has come meanwhile.
  cluster.pend("late", "12");
  cluster.bind("late", large);
  cluster.boot_nodes();
  cluster.executor.run_for(1s);
  EXPECT_EQ(cluster.claims(), 2u);
  cluster.executor.run_for(5min);
  ASSERT_EQ(cluster.claims(), 1u);
  EXPECT_EQ(cluster.claim().at("metadata", "name").as_string(), before->name());
  EXPECT_FALSE(cluster.api.list(resources::node_claims).at(0)->deleting());
}

TEST(Disruption, NothingTakesOverFromSpot) {
  Cluster cluster;
  grow_too_large(cluster, "spot");
  cluster.executor.run_for(10min);
  EXPECT_EQ(cluster.claims(), 1u);
  EXPECT_TRUE(cluster.claim_is("Consolidatable"));
}

TEST(Disruption, NoCheaperNodeForPodsThatMayNotMove) {
  Cluster cluster;
  grow_too_large(cluster);
  value::Value pod = cluster.api.get(resources::pods, "default", "small")->value();
  pod.mutate("metadata", "annotations").set(do_not_disrupt, "true");
  cluster.api.put(resources::pods, pod);
  cluster.executor.run_for(10min);
  EXPECT_EQ(cluster.claims(), 1u);
}

TEST(Disruption, ALongerQuietTimeAndNeverAreHeardAtOnce) {
  Cluster cluster;
  cluster.grow("p");
  cluster.executor.run_for(1min);
  ASSERT_TRUE(cluster.claim_is("Consolidatable"));
  value::Value pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "disruption").set("consolidateAfter", "10m");
  cluster.api.put(resources::node_pools, pool);
  cluster.executor.run_for(1s);
  EXPECT_FALSE(cluster.claim_is("Consolidatable"));
  cluster.executor.run_for(10min);
  EXPECT_TRUE(cluster.claim_is("Consolidatable"));

  pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "disruption").set("consolidateAfter", "Never");
  cluster.api.put(resources::node_pools, pool);
  cluster.executor.run_for(1s);
  const value::Value conditions = cluster.claim().at("status", "conditions");
  EXPECT_TRUE(reconcile::find_condition(conditions, "Consolidatable").is_null());
  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(1h);
  EXPECT_EQ(cluster.claims(), 1u);
}

TEST(Disruption, APodThatNothingSuitsHoldsUpNobody) {
  Cluster cluster;
  cluster.grow("p");
  cluster.pend("giant", "90");
  value::Value pod = cluster.api.get(resources::pods, "default", "giant")->value();
  pod.mutate("spec", "nodeSelector").set("topology.kubernetes.io/zone", "the-moon");
  cluster.api.put(resources::pods, pod);
  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(2min);
  EXPECT_EQ(cluster.claims(), 0u);

  // Of two nodes whose pods fit on one, one goes.
  cluster.grow("a", "1500m");
  cluster.grow("b", "1500m");
  for (const auto& object : cluster.api.list(resources::nodes)) {
    value::Value node = object->value();
    node.mutate("status", "allocatable").set("cpu", "8").set("memory", "16Gi");
    cluster.api.put(resources::nodes, node);
  }
  cluster.executor.run_for(1min);
  EXPECT_EQ(cluster.going(), 1u);
}

TEST(Disruption, DoNotDisruptIsHeard) {
  Cluster cluster;
  const std::string name = cluster.grow("p");
  value::Value node = cluster.api.get(resources::nodes, "", name)->value();
  node.mutate("metadata", "annotations").set(do_not_disrupt, "true");
  cluster.api.put(resources::nodes, node);
  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(10min);
  EXPECT_EQ(cluster.claims(), 1u);
}

TEST(Disruption, BudgetsCountByReason) {
  Cluster cluster;
  value::Value pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "disruption").set("budgets", doc(R"([{"nodes":"0","reasons":["Empty"]}])"));
  cluster.api.put(resources::node_pools, pool);
  cluster.grow("p");
  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(10min);
  EXPECT_EQ(cluster.claims(), 1u);
  pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "disruption")
      .set("budgets", doc(R"([{"nodes":"0","reasons":["Underutilized"]}])"));
  cluster.api.put(resources::node_pools, pool);
  cluster.executor.run_for(2min);
  EXPECT_EQ(cluster.claims(), 0u);
}

TEST(Disruption, NodesThatAreNotReadyUseUpTheBudget) {
  Cluster cluster;
  value::Value pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "disruption").set("budgets", doc(R"([{"nodes":"10%"}])"));
  cluster.api.put(resources::node_pools, pool);
  std::string first;
  for (int i = 0; i < 3; ++i) {
    const std::string node = cluster.grow("p" + std::to_string(i), "14");
    if (first.empty()) first = node;
  }
  ASSERT_EQ(cluster.claims(), 3u);
  const auto say_ready = [&](const std::string& status) {
    value::Value node = cluster.api.get(resources::nodes, "", first)->value();
    node.mutate("status").set("conditions",
                              doc(R"([{"type":"Ready","status":")" + status + "\"}]"));
    cluster.api.put(resources::nodes, node);
  };
  say_ready("False");
  cluster.api.erase(resources::pods, "default", "p1");
  cluster.executor.run_for(10min);
  EXPECT_EQ(cluster.claims(), 3u) << "of three nodes one may be down, and one is";
  say_ready("True");
  cluster.executor.run_for(2min);
  EXPECT_EQ(cluster.claims(), 2u);
}

// Two claims with lots of room each; pods a, b on the first, c on the second; a budget for all that
// allows so many at once.
std::size_t going_with_budget(int allowed) {
  Cluster cluster;
  const std::string first = cluster.grow("a");
  cluster.pend("b", "200m");
  cluster.bind("b", first);
  const std::string second = cluster.grow("c", "3500m");
  cluster.pend("d", "200m");
  cluster.bind("d", second);
  value::Value budget = doc(R"({"metadata":{"name":"all","namespace":"default"},
      "spec":{"selector":{}},"status":{}})");
  budget.mutate("status").set("disruptionsAllowed", allowed);
  cluster.api.put(resources::disruption_budgets, budget);
  for (const std::string& name : {first, second}) {
    value::Value node = cluster.api.get(resources::nodes, "", name)->value();
    node.mutate("status", "allocatable").set("cpu", "8").set("memory", "16Gi");
    cluster.api.put(resources::nodes, node);
  }
  cluster.executor.run_for(40s);
  return cluster.going();
}

TEST(Disruption, OneAllowedEvictionIsEnoughToBegin) {
  EXPECT_EQ(going_with_budget(0), 0u);
  EXPECT_EQ(going_with_budget(1), 1u);
}

TEST(Disruption, ANodeThatCannotLeaveHoldsUpNoOther) {
  Cluster cluster;
  const std::string stuck = cluster.grow("stuck", "14");
  value::Value pod = cluster.api.get(resources::pods, "default", "stuck")->value();
  pod.mutate("metadata", "annotations").set(do_not_disrupt, "true");
  cluster.api.put(resources::pods, pod);
  const std::string first = cluster.grow("a", "3500m");
  const std::string second = cluster.grow("b", "3500m");
  for (const auto& object : cluster.api.list(resources::node_claims)) {
    value::Value claim = object->value();
    if (claim.at("status", "nodeName").as_string() != stuck) continue;
    claim.mutate("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
    cluster.api.put(resources::node_claims, claim);
  }
  cluster.executor.run_for(1min);
  EXPECT_EQ(cluster.going(), 1u) << "the leaving pod and the other's fit nowhere";

  // On one of them there is room for one of the two, on the other for both.
  const auto give = [&cluster](const std::string& name, const char* cpu) {
    value::Value node = cluster.api.get(resources::nodes, "", name)->value();
    node.mutate("status", "allocatable").set("cpu", cpu).set("memory", "64Gi");
    cluster.api.put(resources::nodes, node);
  };
  give(second, "18");
  cluster.executor.run_for(2min);
  EXPECT_EQ(cluster.going(), 1u) << "the leaving pod needs that room";
  give(second, "32");
  cluster.executor.run_for(61s);
  EXPECT_EQ(cluster.going(), 2u);
  for (const auto& claim : cluster.api.list(resources::node_claims)) {
    if (claim->value().at("status", "nodeName").as_string() == second) {
      EXPECT_FALSE(claim->deleting());
    }
  }
  EXPECT_FALSE(cluster.api.get(resources::pods, "default", "stuck")->deleting());
  EXPECT_TRUE(cluster.api.get(resources::pods, "default", "a")->deleting()) << first;
}

TEST(Disruption, ANodeThatDoesNotComeUpHoldsUpNoOtherAndExpires) {
  Cluster cluster;
  value::Value pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "template", "spec").set("expireAfter", "1h");
  cluster.api.put(resources::node_pools, pool);
  const std::string sick = cluster.grow("sick", "14");
  // As if it had never been up.
  value::Value claim = cluster.claim();
  value::Value node = cluster.api.get(resources::nodes, "", sick)->value();
  node.set("status", doc(R"({"conditions":[{"type":"Ready","status":"False"}]})"));
  cluster.api.put(resources::nodes, node);
  value::Value conditions = claim.at("status", "conditions");
  reconcile::remove_condition(conditions, "Initialized");
  claim.mutate("status").set("conditions", conditions);
  cluster.api.put(resources::node_claims, claim);
  const std::string first = cluster.grow("a", "3500m");
  const std::string second = cluster.grow("b", "3500m");
  for (const std::string& name : {first, second}) {
    value::Value roomy = cluster.api.get(resources::nodes, "", name)->value();
    roomy.mutate("status", "allocatable").set("cpu", "8").set("memory", "16Gi");
    cluster.api.put(resources::nodes, roomy);
  }
  ASSERT_EQ(cluster.claims(), 3u);
  cluster.executor.run_for(2min);
  EXPECT_EQ(cluster.going(), 0u) << "it may still come up";
  cluster.executor.run_for(5min);
  EXPECT_EQ(cluster.claims() - cluster.going(), 2u);
  EXPECT_FALSE(
      cluster.api.get(resources::node_claims, "", claim.at("metadata", "name").as_string())
          ->deleting());
  cluster.executor.run_for(1h);
  EXPECT_EQ(cluster.api.get(resources::node_claims, "", claim.at("metadata", "name").as_string()),
            nullptr);
}

TEST(Disruption, OldNodesExpire) {
  Cluster cluster;
  value::Value pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "template", "spec").set("expireAfter", "1h");
  cluster.api.put(resources::node_pools, pool);
  cluster.grow("p");
  cluster.executor.run_for(50min);
  EXPECT_FALSE(cluster.api.list(resources::node_claims).at(0)->deleting());
  cluster.executor.run_for(12min);
  EXPECT_EQ(cluster.claims() - cluster.going(), 0u);
}

}  // namespace
}  // namespace keelway::provisioner
