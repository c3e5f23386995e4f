#include "fleet/update_loop.h"

#include <gtest/gtest.h>

#include "client/resources.h"
#include "fleet/cluster_loop.h"
#include "reconcile/testing/fake_api.h"

namespace keelway::fleet {
namespace {

using namespace std::chrono_literals;
namespace resources = client::resources;
using value::Value;

struct Hub {
  reconcile::testing::HandExecutor executor;
  reconcile::testing::FakeApi api{executor};
  std::unique_ptr<reconcile::Manager> manager = reconcile::make_manager(executor, api);

  explicit Hub(base::Duration delay) {
    manager->add(make_update_loop(delay));
    manager->start();
    put_cluster("uid-c");
    executor.run_for(1s);
  }
  void put_cluster(const std::string& uid) {
    api.put(resources::clusters,
            Value::object(
                {{"metadata", Value::object({{"namespace", "acct"}, {"name", "c"}, {"uid", uid}})},
                 {"status", Value::object({{"status", "ACTIVE"}})}}));
  }
  // As the AWS door writes it: without a status.
  void begin(const std::string& name) {
    const double now = static_cast<double>(executor.wall_now().microseconds) / 1e6;
    Value metadata = Value::object(
        {{"namespace", "acct"},
         {"name", name},
         {"labels", Value::object({{std::string(resources::cluster_label), "c"}})},
         {"ownerReferences",
          Value::array({Value::object(
              {{"kind", "Cluster"}, {"name", "c"}, {"uid", "uid-c"}, {"apiVersion", "x"}})})}});
    api.put(resources::updates,
            Value::object({{"metadata", metadata},
                           {"spec", Value::object({{"id", name}, {"createdAt", now}})}}));
  }
  std::string status(const client::Resource& resource, const std::string& name) {
    const auto object = api.get(resource, "acct", name);
    return object ? object->value().at("status", "status").as_string() : "gone";
  }
};

TEST(UpdateLoop, RunsForTheDelay) {
  Hub hub(3min);
  hub.begin("u");
  hub.executor.run_for(1s);
  EXPECT_EQ(hub.status(resources::updates, "u"), "InProgress");
  EXPECT_EQ(hub.status(resources::clusters, "c"), "UPDATING");
  hub.executor.run_for(2min + 58s);
  EXPECT_EQ(hub.status(resources::updates, "u"), "InProgress");
  hub.executor.run_for(5s);
  EXPECT_EQ(hub.status(resources::updates, "u"), "Successful");
  EXPECT_EQ(hub.status(resources::clusters, "c"), "ACTIVE");
  const std::size_t calls = hub.api.calls.size();
  EXPECT_EQ(calls, 4u);
  hub.executor.run_for(1h);
  EXPECT_EQ(hub.api.calls.size(), calls);
  EXPECT_EQ(hub.executor.pending(), 0u);
}

TEST(UpdateLoop, TheClusterIsUpdatingUntilTheLastEnds) {
  Hub hub(3min);
  hub.begin("a");
  hub.executor.run_for(2min);
  hub.begin("b");
  hub.executor.run_for(2min);
  EXPECT_EQ(hub.status(resources::updates, "a"), "Successful");
  EXPECT_EQ(hub.status(resources::updates, "b"), "InProgress");
  EXPECT_EQ(hub.status(resources::clusters, "c"), "UPDATING");
  hub.executor.run_for(2min);
  EXPECT_EQ(hub.status(resources::clusters, "c"), "ACTIVE");
}

TEST(UpdateLoop, WithoutADelayItIsDoneAtOnce) {
  Hub hub(0s);
  hub.begin("u");
  hub.executor.run_for(1s);
  EXPECT_EQ(hub.status(resources::updates, "u"), "Successful");
  EXPECT_EQ(hub.status(resources::clusters, "c"), "ACTIVE");
  EXPECT_EQ(hub.api.calls.size(), 1u);
}

TEST(UpdateLoop, LeavesOtherPhasesAlone) {
  Hub hub(3min);
  Value cluster = hub.api.get(resources::clusters, "acct", "c")->value();
  cluster.mutate("status").set("status", "DELETING");
  hub.api.put(resources::clusters, cluster);
  hub.begin("u");
  hub.executor.run_for(1min);
  EXPECT_EQ(hub.status(resources::clusters, "c"), "DELETING");
}

TEST(UpdateLoop, KeepsABoundedHistory) {
  Hub hub(0s);
  for (int i = 0; i < 120; ++i) {
    hub.begin("u" + std::to_string(i));
    hub.executor.run_for(1s);
  }
  EXPECT_EQ(hub.api.list(resources::updates).size(), finished_updates_max);
  EXPECT_EQ(hub.status(resources::updates, "u19"), "gone");
  EXPECT_EQ(hub.status(resources::updates, "u20"), "Successful");
}

// The door changes the cluster, then makes the Update; it may die in between.
TEST(UpdateLoop, MakesWhatTheClusterCarriesOnce) {
  Hub hub(0s);
  hub.begin("u0");
  hub.executor.run_for(10s);
  const Value carried = hub.api.get(resources::updates, "acct", "u0")->value();
  hub.api.erase(resources::updates, "acct", "u0");
  Value cluster = hub.api.get(resources::clusters, "acct", "c")->value();
  cluster.mutate("spec").set("configUpdate", Value::array({carried}));
  hub.api.put(resources::clusters, cluster);
  hub.executor.run_for(1s);
  EXPECT_EQ(hub.status(resources::updates, "u0"), "Successful");
  // A later one says that it was made, even where the history has lost it.
  hub.begin("u1");
  hub.executor.run_for(1s);
  hub.api.erase(resources::updates, "acct", "u0");
  hub.executor.run_for(1s);
  EXPECT_EQ(hub.status(resources::updates, "u0"), "gone");
}

TEST(UpdateLoop, ForgetsTheUpdatesOfAClusterThatHasGone) {
  Hub hub(0s);
  hub.begin("u");
  hub.executor.run_for(1s);
  hub.api.erase(resources::clusters, "acct", "c");
  hub.executor.run_for(1s);
  EXPECT_EQ(hub.status(resources::updates, "u"), "gone");
}

}  // namespace
}  // namespace keelway::fleet
