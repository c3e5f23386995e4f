// The loops together, over fakes of the cluster and the hub: what they write settles.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "cloud/simulated/cloud.h"
#include "provisioner/launcher.h"
#include "provisioner/loops.h"
#include "provisioner/names.h"
#include "provisioner/testing/fixtures.h"
#include "reconcile/conditions.h"
#include "reconcile/testing/fake_api.h"

namespace keelway::provisioner {
namespace {

using namespace testing;
using namespace std::chrono_literals;
namespace resources = client::resources;

// Says no to the first launches; then passes on.
class MoodyCloud final : public cloud::Cloud {
 public:
  explicit MoodyCloud(std::unique_ptr<Cloud> real) : real_(std::move(real)) {}
  int sold_out = 0;
  std::vector<cloud::LaunchRequest> launches;
  void launch(cloud::LaunchRequest request,
              std::move_only_function<void(base::Result<cloud::Machine>)> done) override {
    launches.push_back(request);
    if (sold_out-- > 0) return done(base::fail(base::ErrorCode::exhausted, "sold out"));
    real_->launch(std::move(request), std::move(done));
  }
  void terminate(std::string token,
                 std::move_only_function<void(base::Result<void>)> done) override {
    real_->terminate(std::move(token), std::move(done));
  }
  void inspect(std::string token, std::move_only_function<void(base::Result<bool>)> done) override {
    real_->inspect(std::move(token), std::move(done));
  }

 private:
  std::unique_ptr<Cloud> real_;
};

struct Cluster {
  reconcile::testing::HandExecutor executor;
  reconcile::testing::FakeApi api{executor}, hub{executor};
  MoodyCloud cloud{cloud::make_simulated_cloud(
      hub,
      {.cluster = "c", .name_space = "acct", .region = "us-east-1", .catalogue = catalogue()})};
  Launcher launcher{
      {.executor = executor, .client = api, .cloud = cloud, .catalogue = catalogue(), .log = {}}};
  std::unique_ptr<reconcile::Manager> manager = reconcile::make_manager(executor, api);

  explicit Cluster(bool disruption = true) {
    manager->add(make_provisioning_loop(catalogue()));
    manager->add(make_claim_loop(catalogue()),
                 [this](const reconcile::Effect& effect, reconcile::EffectDone done) {
                   launcher.execute(effect, std::move(done));
                 });
    if (disruption) manager->add(make_disruption_loop(catalogue()));
    manager->add(make_pool_loop());
    manager->add(make_node_class_loop());
    manager->start();
    api.put(resources::ec2_node_classes, doc(R"({"metadata":{"name":"default"},"spec":{}})"));
    value::Value pool = pool_document("default", "[]", R"({"disruption":{"consolidateAfter":"30s",
                                      "budgets":[{"nodes":"100%"}]},"limits":{"cpu":"100"}})");
    pool.erase("status");
    api.put(resources::node_pools, pool);
    executor.run_for(1s);
  }
  void pend(const std::string& name, std::string_view cpu = "1") {
    value::Value pod = pod_document(name, cpu, "1Gi");
    pod.set("status", doc(R"({"conditions":[{"type":"PodScheduled","status":"False",
                                             "reason":"Unschedulable"}]})"));
    pod.mutate("metadata").set("ownerReferences", doc(R"([{"kind":"ReplicaSet","name":"r","uid":"r",
                                        "apiVersion":"apps/v1","controller":true}])"));
    api.put(resources::pods, pod);
  }
  void bind(const std::string& name, const std::string& node) {
    value::Value pod = api.get(resources::pods, "default", name)->value();
    pod.mutate("spec").set("nodeName", node);
    pod.set("status", value::Value::object());
    api.put(resources::pods, pod);
  }
  // What a node host does for each machine that has no node yet.
  void boot_nodes() {
    for (const auto& machine : hub.list(resources::machines)) {
      const value::Value spec = machine->value()["spec"];
      const std::string& name = spec["nodeName"].as_string();
      if (api.get(resources::nodes, "", name)) continue;
      value::Value node = value::Value::object();
      node.mutate("metadata").set("name", name).set("labels", spec["labels"]);
      node.mutate("spec").set("providerID", spec["providerID"]).set("taints", spec["taints"]);
      node.set("status", doc(R"({"conditions":[{"type":"Ready","status":"True"}]})"));
      node.mutate("status")
          .set("allocatable", spec["allocatable"])
          .set("capacity", spec["capacity"]);
      api.put(resources::nodes, node);
    }
  }
  std::size_t claims() { return api.list(resources::node_claims).size(); }
  value::Value claim() { return api.list(resources::node_claims).at(0)->value(); }
  bool claim_is(std::string_view type) {
    return reconcile::is_condition_true(claim().at("status", "conditions"), type);
  }
  // One node with the pod on it, past its quiet time.
  std::string grow(const std::string& pod, std::string_view cpu = "1500m") {
    std::set<std::string> before;
    for (const auto& node : api.list(resources::nodes)) before.insert(node->name());
    pend(pod, cpu);
    executor.run_for(1s);
    boot_nodes();
    executor.run_for(1s);
    std::string fresh;
    for (const auto& node : api.list(resources::nodes)) {
      if (!before.contains(node->name())) fresh = node->name();
    }
    bind(pod, fresh);
    executor.run_for(1s);
    return fresh;
  }
};

TEST(Lifecycle, APodGetsANodeAndTheNodeGoesWithIt) {
  Cluster cluster;
  const value::Value pool = cluster.api.get(resources::node_pools, "", "default")->value();
  ASSERT_TRUE(reconcile::is_condition_true(pool.at("status", "conditions"), "Ready"));
  cluster.pend("p");
  cluster.executor.run_for(1s);
  ASSERT_EQ(cluster.claims(), 1u);
  EXPECT_TRUE(cluster.claim_is("Launched"));
  EXPECT_FALSE(cluster.claim_is("Registered"));
  ASSERT_EQ(cluster.hub.list(resources::machines).size(), 1u);

  cluster.boot_nodes();
  cluster.executor.run_for(1s);
  EXPECT_TRUE(cluster.claim_is("Registered"));
  EXPECT_TRUE(cluster.claim_is("Initialized"));
  const value::Value node = cluster.api.list(resources::nodes).at(0)->value();
  EXPECT_TRUE(node.at("spec", "taints").empty()) << value::to_json(node["spec"]);
  EXPECT_EQ(node.at("metadata", "labels", initialized_label).as_string(), "true");
  EXPECT_EQ(node.at("metadata", "labels", pool_label).as_string(), "default");

  // The scheduler is slow: the node must not seem idle.
  cluster.executor.run_for(5min);
  ASSERT_EQ(cluster.claims(), 1u) << "bought for a pod that is not bound yet";
  cluster.bind("p", node.at("metadata", "name").as_string());
  cluster.executor.run_for(5min);
  ASSERT_EQ(cluster.claims(), 1u);
  EXPECT_TRUE(cluster.claim_is("Consolidatable"));

  const std::size_t calls = cluster.api.calls.size();
  cluster.executor.run_for(1h);
  EXPECT_EQ(cluster.api.calls.size(), calls) << "nothing changes, nothing is written";
  EXPECT_EQ(cluster.cloud.launches.size(), 1u);

  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(2min);
  EXPECT_EQ(cluster.claims(), 0u);
  EXPECT_TRUE(cluster.api.list(resources::nodes).empty());
  EXPECT_TRUE(cluster.hub.list(resources::machines).empty());
  const value::Value after = cluster.api.get(resources::node_pools, "", "default")->value();
  EXPECT_EQ(after.at("status", "nodes").as_int(-1), 0);
  cluster.executor.run_for(2min);
  EXPECT_EQ(cluster.executor.pending(), 0u) << "an idle cluster owns no timer";
  EXPECT_LT(cluster.api.calls.size(), 40u);
}

TEST(Lifecycle, BuysOnceWhileNodesAreOnTheirWay) {
  Cluster cluster;
  for (int i = 0; i < 10; ++i) cluster.pend("p" + std::to_string(i));
  cluster.executor.run_for(1s);
  const std::size_t bought = cluster.claims();
  cluster.executor.run_for(3min);
  EXPECT_EQ(cluster.claims(), bought);
  cluster.boot_nodes();
  cluster.executor.run_for(3min);
  EXPECT_EQ(cluster.claims(), bought);
}

TEST(Lifecycle, AMachineThatNeverComesIsGivenUp) {
  Cluster cluster;
  cluster.pend("p");
  cluster.executor.run_for(1s);
  const std::string first = cluster.claim().at("metadata", "name").as_string();
  cluster.executor.run_for(16min);
  ASSERT_EQ(cluster.claims(), 1u) << "the pod still waits";
  EXPECT_NE(cluster.claim().at("metadata", "name").as_string(), first);
  EXPECT_EQ(cluster.hub.list(resources::machines).size(), 1u);
}

TEST(Lifecycle, ADeletedNodeTakesItsMachineAlong) {
  Cluster cluster;
  const std::string node = cluster.grow("p");
  cluster.api.erase(resources::nodes, "", node);
  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(5s);
  EXPECT_EQ(cluster.claims(), 0u);
  EXPECT_TRUE(cluster.hub.list(resources::machines).empty());
}

TEST(Lifecycle, ASilentNodeGoesWhereItsMachineHasGone) {
  Cluster cluster;
  const std::string node = cluster.grow("p");
  value::Value silent = cluster.api.get(resources::nodes, "", node)->value();
  silent.set("status", doc(R"({"conditions":[{"type":"Ready","status":"Unknown"}]})"));
  cluster.api.put(resources::nodes, silent);
  cluster.executor.run_for(2min);
  EXPECT_TRUE(cluster.api.get(resources::nodes, "", node)) << "it only hangs";
  EXPECT_EQ(cluster.claims(), 1u);

  const auto machine = cluster.hub.list(resources::machines).at(0);
  cluster.hub.erase(resources::machines, machine->name_space(), machine->name());
  cluster.executor.run_for(1min);
  EXPECT_FALSE(cluster.api.get(resources::nodes, "", node));
  EXPECT_EQ(cluster.claims(), 0u);
}

TEST(Lifecycle, ANodeOfAMachineThatIsGoneIsRemoved) {
  Cluster cluster;
  const std::string node = cluster.grow("p");
  // The machine registers once more while it is taken away; a node of somebody else's stays.
  value::Value late = cluster.api.get(resources::nodes, "", node)->value();
  value::Value foreign = late;
  cluster.api.erase(resources::nodes, "", node);
  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(5s);
  ASSERT_EQ(cluster.claims(), 0u);
  cluster.api.put(resources::nodes, late);
  foreign.mutate("metadata").set("name", "foreign").erase("labels");
  cluster.api.put(resources::nodes, foreign);
  cluster.executor.run_for(5s);
  ASSERT_EQ(cluster.api.list(resources::nodes).size(), 1u);
  EXPECT_EQ(cluster.api.list(resources::nodes)[0]->name(), "foreign");
}

TEST(Lifecycle, MovesPodsTogetherAndHonoursBudgets) {
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
  std::size_t deleting = 0;
  for (const auto& claim : cluster.api.list(resources::node_claims)) deleting += claim->deleting();
  EXPECT_EQ(deleting, 1u);
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

TEST(Lifecycle, ACheaperNodeTakesOver) {
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
  cluster.executor.run_for(3min);
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

TEST(Lifecycle, WhatWouldTakeOverInVainGoesAgain) {
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

TEST(Lifecycle, NothingTakesOverFromSpot) {
  Cluster cluster;
  grow_too_large(cluster, "spot");
  cluster.executor.run_for(10min);
  EXPECT_EQ(cluster.claims(), 1u);
  EXPECT_TRUE(cluster.claim_is("Consolidatable"));
}

TEST(Lifecycle, NoCheaperNodeForPodsThatMayNotMove) {
  Cluster cluster;
  grow_too_large(cluster);
  value::Value pod = cluster.api.get(resources::pods, "default", "small")->value();
  pod.mutate("metadata", "annotations").set(do_not_disrupt, "true");
  cluster.api.put(resources::pods, pod);
  cluster.executor.run_for(10min);
  EXPECT_EQ(cluster.claims(), 1u);
}

TEST(Lifecycle, ALongerQuietTimeAndNeverAreHeardAtOnce) {
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

TEST(Lifecycle, APodThatNothingSuitsHoldsUpNobody) {
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
  std::size_t deleting = 0;
  for (const auto& claim : cluster.api.list(resources::node_claims)) deleting += claim->deleting();
  EXPECT_EQ(deleting, 1u);
}

TEST(Lifecycle, DoNotDisruptIsHeard) {
  Cluster cluster;
  const std::string name = cluster.grow("p");
  value::Value node = cluster.api.get(resources::nodes, "", name)->value();
  node.mutate("metadata", "annotations").set(do_not_disrupt, "true");
  cluster.api.put(resources::nodes, node);
  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(10min);
  EXPECT_EQ(cluster.claims(), 1u);
}

TEST(Lifecycle, BudgetsCountByReason) {
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

TEST(Lifecycle, OldNodesExpire) {
  Cluster cluster;
  value::Value pool = cluster.api.get(resources::node_pools, "", "default")->value();
  pool.mutate("spec", "template", "spec").set("expireAfter", "1h");
  cluster.api.put(resources::node_pools, pool);
  cluster.grow("p");
  cluster.executor.run_for(50min);
  EXPECT_FALSE(cluster.api.list(resources::node_claims).at(0)->deleting());
  cluster.executor.run_for(12min);
  EXPECT_TRUE(cluster.api.list(resources::node_claims).at(0)->deleting());
}

TEST(Launcher, ALostAnswerStillMakesOneMachine) {
  Cluster cluster;
  int lost = 0;
  cluster.hub.lose_answer = [&](const client::Call& call) {
    return call.verb == client::Verb::create && ++lost <= 2;
  };
  cluster.pend("p");
  cluster.executor.run_for(5s);
  EXPECT_EQ(lost, 3);
  EXPECT_EQ(cluster.hub.list(resources::machines).size(), 1u);
  ASSERT_EQ(cluster.claims(), 1u);
  EXPECT_TRUE(cluster.claim_is("Launched"));
  EXPECT_EQ(cluster.claim().at("status", "providerID"),
            cluster.hub.list(resources::machines)[0]->value().at("spec", "providerID"));
}

TEST(Launcher, TriesTheNextOfferingWhereOneIsSoldOut) {
  Cluster cluster;
  cluster.cloud.sold_out = 2;
  cluster.pend("p");
  cluster.executor.run_for(1s);
  ASSERT_EQ(cluster.cloud.launches.size(), 3u);
  ASSERT_EQ(cluster.claims(), 1u);
  EXPECT_TRUE(cluster.claim_is("Launched"));
  EXPECT_EQ(cluster.claim().at("metadata", "labels", instance_type_label).as_string(),
            cluster.cloud.launches[2].instance_type);
  EXPECT_EQ(cluster.claim().at("metadata", "labels", zone_label).as_string(),
            cluster.cloud.launches[2].zone);
}

TEST(Launcher, ASoldOutCloudIsNotAskedWithoutRest) {
  Cluster cluster;
  cluster.cloud.sold_out = 1'000'000;
  cluster.pend("p");
  cluster.executor.run_for(10min);
  EXPECT_LT(cluster.cloud.launches.size(), 8'000u);
  EXPECT_LT(cluster.api.calls.size(), 400u);
  cluster.cloud.sold_out = 0;
  cluster.executor.run_for(2min);
  ASSERT_EQ(cluster.claims(), 1u);
  EXPECT_TRUE(cluster.claim_is("Launched"));
}

TEST(SimulatedCloud, TerminatesWhatItLaunchedAndOnlyThat) {
  Cluster cluster;
  auto cloud = cloud::make_simulated_cloud(
      cluster.hub,
      {.cluster = "c", .name_space = "acct", .region = "us-east-1", .catalogue = catalogue()});
  std::vector<std::string> names;
  for (const char* token : {"t1", "t1", "t2"}) {
    cloud::LaunchRequest request;
    request.token = token;
    request.instance_type = "m5.large";
    // Asked again with another zone, the machine stays where it is.
    request.zone = names.empty() ? "us-east-1a" : "us-east-1b";
    request.capacity_type = "on-demand";
    cloud->launch(request, [&](base::Result<cloud::Machine> machine) {
      ASSERT_TRUE(machine);
      names.push_back(machine->provider_id);
    });
    cluster.executor.run_for(1s);
  }
  ASSERT_EQ(names.size(), 3u);
  EXPECT_EQ(names[0], names[1]);
  EXPECT_NE(names[0], names[2]);
  int gone = 0;
  for (int i = 0; i < 2; ++i) {
    cloud->terminate("t1", [&](base::Result<void> done) { gone += done.has_value(); });
    cluster.executor.run_for(1s);
  }
  EXPECT_EQ(gone, 2);
  EXPECT_EQ(cluster.hub.list(resources::machines).size(), 1u);
  cloud::LaunchRequest bad;
  bad.instance_type = "m5.planet";
  base::ErrorCode code = base::ErrorCode::internal;
  cloud->launch(bad, [&](base::Result<cloud::Machine> machine) { code = machine.error().code; });
  EXPECT_EQ(code, base::ErrorCode::invalid);
}

}  // namespace
}  // namespace keelway::provisioner
