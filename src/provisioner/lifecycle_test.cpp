// The loops together: what they write settles.
#include <gtest/gtest.h>

#include "provisioner/testing/cluster.h"

namespace keelway::provisioner {
namespace {

using namespace testing;
using namespace std::chrono_literals;
namespace resources = client::resources;

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

TEST(Lifecycle, ADeletedNodeIsDrainedFirst) {
  Cluster cluster;
  const std::string name = cluster.grow("p");
  bool is_allowed = false;
  cluster.api.refuse = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (call.subresource != "eviction" || is_allowed) return std::nullopt;
    return schema::too_many_requests("a budget", 0);
  };
  value::Value node = cluster.api.get(resources::nodes, "", name)->value();
  node.mutate("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  cluster.api.put(resources::nodes, node);
  cluster.executor.run_for(5min);
  ASSERT_NE(cluster.api.get(resources::nodes, "", name), nullptr);
  EXPECT_FALSE(cluster.api.get(resources::pods, "default", "p")->deleting());
  EXPECT_EQ(cluster.going(), 1u);
  EXPECT_EQ(cluster.hub.list(resources::machines).size(), 1u);

  is_allowed = true;
  cluster.executor.run_for(2s);
  EXPECT_TRUE(cluster.api.get(resources::pods, "default", "p")->deleting());
  cluster.api.erase(resources::pods, "default", "p");
  cluster.executor.run_for(5s);
  EXPECT_EQ(cluster.api.get(resources::nodes, "", name), nullptr);
  EXPECT_EQ(cluster.claims(), 0u);
  EXPECT_TRUE(cluster.hub.list(resources::machines).empty());
}

TEST(Lifecycle, AClaimThatIsTakenAwayTakesItsMachineAndNodeAlong) {
  Cluster cluster;
  const std::string node = cluster.grow("p");
  cluster.api.erase(resources::pods, "default", "p");
  cluster.api.erase(resources::node_claims, "", cluster.claim().at("metadata", "name").as_string());
  cluster.executor.run_for(10s);
  EXPECT_TRUE(cluster.hub.list(resources::machines).empty());
  EXPECT_EQ(cluster.api.get(resources::nodes, "", node), nullptr);
}

TEST(Launcher, SweepsMachinesWithoutAClaim) {
  Cluster cluster;
  cluster.grow("p");
  const value::Value known = cluster.hub.list(resources::machines).at(0)->value();
  const auto add = [&](const std::string& cluster_id, const std::string& token) {
    cloud::make_simulated_cloud(cluster.hub, {.cluster = cluster_id,
                                              .name_space = "acct",
                                              .region = "us-east-1",
                                              .catalogue = catalogue()})
        ->launch({.token = token,
                  .claim_name = "lost",
                  .instance_type = known.at("spec", "instanceType").as_string(),
                  .zone = known.at("spec", "zone").as_string(),
                  .capacity_type = known.at("spec", "capacityType").as_string(),
                  .labels = {},
                  .annotations = {},
                  .taints = {}},
                 [](const auto&) {});
  };
  add("c", "lost");
  add("other", "lost");
  ASSERT_EQ(cluster.hub.list(resources::machines).size(), 3u);
  bool is_done = false;
  cluster.launcher.execute({"sweep", "", {}},
                           [&is_done](const auto& outcome) { is_done = outcome.has_value(); });
  cluster.executor.run_for(1s);
  EXPECT_TRUE(is_done);
  std::set<std::string> left;
  for (const auto& machine : cluster.hub.list(resources::machines)) {
    left.insert(machine->value().at("spec", "cluster").as_string() + "/" +
                machine->value().at("spec", "token").as_string());
  }
  EXPECT_EQ(left,
            (std::set<std::string>{"c/" + known.at("spec", "token").as_string(), "other/lost"}));
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

TEST(Lifecycle, APodWhoseEvictionFailsHoldsUpNoOther) {
  Cluster cluster;
  const std::string node = cluster.grow("a");
  cluster.pend("b");
  cluster.bind("b", node);
  cluster.api.refuse = [](const client::Call& call) -> std::optional<schema::Status> {
    if (call.subresource != "eviction" || call.name != "a") return std::nullopt;
    return schema::internal_error("This pod has more than one PodDisruptionBudget");
  };
  value::Value claim = cluster.claim();
  claim.mutate("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  cluster.api.put(resources::node_claims, claim);
  cluster.executor.run_for(5s);
  EXPECT_FALSE(cluster.api.get(resources::pods, "default", "a")->deleting());
  EXPECT_TRUE(cluster.api.get(resources::pods, "default", "b")->deleting());
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
