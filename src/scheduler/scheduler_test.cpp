#include <gtest/gtest.h>

#include "client/resources.h"
#include "reconcile/testing/fake_api.h"
#include "scheduler/scheduler_loop.h"

namespace keelway::scheduler {
namespace {

namespace resources = client::resources;
using reconcile::testing::FakeApi;
using reconcile::testing::HandExecutor;
using std::chrono_literals::operator""s;

value::Value doc(const std::string& text) {
  return value::parse_json(text).value_or(value::Value());
}

value::Value node(const std::string& name) {
  return doc(R"({"metadata":{"name":")" + name +
             R"("},"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"}}})");
}

value::Value pod(const std::string& name) {
  return doc(R"({"metadata":{"namespace":"ns","name":")" + name +
             R"("},"spec":{"containers":[{"resources":{"requests":{"cpu":"1"}}}]}})");
}

struct World {
  HandExecutor executor;
  FakeApi api{executor};
  std::unique_ptr<reconcile::Manager> manager = reconcile::make_manager(executor, api);
  World() {
    api.watch_delay = std::chrono::milliseconds(50);
    api.answer_delay = std::chrono::milliseconds(1);
    Options options;
    options.bindings_max = 20;
    manager->add(make_scheduler_loop(options));
    manager->start();
  }
  std::map<std::string, int> pods_by_node() {
    std::map<std::string, int> counts;
    for (const client::ObjectPtr& object : api.list(resources::pods)) {
      ++counts[object->value().at("spec", "nodeName").as_string()];
    }
    return counts;
  }
};

TEST(Scheduler, FillsNodesEvenlyAndNeverOverfillsThem) {
  World world;
  for (int i = 0; i < 10; ++i) world.api.put(resources::nodes, node("n" + std::to_string(i)));
  for (int i = 0; i < 45; ++i) world.api.put(resources::pods, pod("p" + std::to_string(i)));
  world.executor.run_for(10s);
  std::map<std::string, int> counts = world.pods_by_node();
  EXPECT_EQ(counts.size(), 11u) << "ten nodes hold forty";
  for (const auto& [name, count] : counts) {
    EXPECT_EQ(count, name.empty() ? 5 : 4) << name;
  }
  int bindings = 0;
  for (const client::Call& call : world.api.calls) bindings += call.subresource == "binding";
  EXPECT_EQ(bindings, 40) << "each pod is bound once, though the view is behind";

  world.api.put(resources::nodes, node("late"));
  world.executor.run_for(5s);
  EXPECT_EQ(world.pods_by_node()["late"], 4);
  world.api.erase(resources::pods, "ns", "p0");
  world.executor.run_for(15s);
  EXPECT_EQ(world.pods_by_node().count(""), 0u);
  EXPECT_EQ(world.executor.pending(), 0u);
}

TEST(Scheduler, ARefusedBindingIsTriedAgain) {
  World world;
  int refusals = 3;
  world.api.refuse = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (call.subresource != "binding" || refusals-- <= 0) return std::nullopt;
    return schema::internal_error("no");
  };
  world.api.put(resources::nodes, node("a"));
  world.api.put(resources::pods, pod("p"));
  world.executor.run_for(30s);
  EXPECT_EQ(world.pods_by_node()["a"], 1);
}

TEST(Scheduler, EqualSeedsPlanEqually) {
  client::ChangeBatch batch;
  const auto add = [&](const client::Resource& resource, value::Value object) {
    const std::string name = object.at("metadata", "name").as_string();
    object.mutate("metadata").set("uid", "uid-" + name);
    batch.changes.push_back(
        {resource,
         schema::Object::parse(std::make_shared<std::string>(value::to_json(object)),
                               ++batch.revision),
         nullptr});
  };
  for (int i = 0; i < 200; ++i) add(resources::nodes, node("n" + std::to_string(i)));
  for (int i = 0; i < 300; ++i) add(resources::pods, pod("p" + std::to_string(i)));
  client::LocalView view;
  view.apply(batch);
  const auto targets = [&](reconcile::BatchLoop& loop, reconcile::Seed seed) {
    std::string text;
    for (const reconcile::Action& action : loop.plan(view, {}, {}, seed).actions) {
      const client::Call& call = std::get<client::Call>(action.what);
      if (call.subresource == "binding") {
        text += call.name + ">" + call.body.at("target", "name").as_string() + ",";
      }
    }
    return text;
  };
  const auto one = make_scheduler_loop(), two = make_scheduler_loop();
  const std::string first = targets(*one, 5);
  EXPECT_EQ(first, targets(*one, 5)) << "what the loop remembers changes nothing";
  EXPECT_EQ(first, targets(*two, 5));
  EXPECT_NE(first, targets(*two, 6));
}

}  // namespace
}  // namespace keelway::scheduler
