#include "scheduler/ledger.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::scheduler {
namespace {

namespace resources = client::resources;
using value::Value;

// A cluster whose every change goes to a view and to the books that are kept.
class World {
 public:
  client::LocalView view;
  Ledger kept{"default-scheduler"};
  Bindings bound;

  void put(const client::Resource& resource, const std::string& name, Value object) {
    object.set("metadata", Value::object({{"name", name},
                                          {"namespace", resource.namespaced ? "ns" : ""},
                                          {"uid", "uid-" + name}}));
    client::ChangeBatch batch;
    batch.revision = ++revision_;
    const auto before = view.get(resource, resource.namespaced ? "ns" : "", name);
    batch.changes.push_back(
        {resource,
         schema::Object::parse(std::make_shared<std::string>(value::to_json(object)), revision_),
         before});
    apply(batch);
  }
  void erase(const client::Resource& resource, const std::string& name) {
    const auto before = view.get(resource, resource.namespaced ? "ns" : "", name);
    if (!before) return;
    client::ChangeBatch batch;
    batch.revision = ++revision_;
    batch.changes.push_back({resource, nullptr, before});
    apply(batch);
  }
  // What the books say, as text.
  static std::string read(Ledger& ledger) {
    std::string text;
    for (const PodDigest* pod : ledger.pending()) text += pod->info->name + " waits\n";
    for (const placement::NodeState& node : ledger.topology().nodes()) {
      std::set<std::string> names;
      for (const auto& pod : node.pods) names.insert(pod->name);
      text += node.name + " " + std::to_string(node.used.milli_cpu) + ":";
      for (const std::string& name : names) text += " " + name;
      text += "\n";
    }
    return text;
  }
  std::string opened_anew() {
    Ledger fresh{"default-scheduler"};
    fresh.update(view, bound);
    return read(fresh);
  }
  std::string as_kept() {
    kept.update(view, bound);
    return read(kept);
  }

 private:
  void apply(const client::ChangeBatch& batch) {
    view.apply(batch);
    for (const client::Change& change : batch.changes) kept.observe(change);
  }
  client::Revision revision_ = 0;
};

Value node(std::int64_t cpu) {
  return Value::object(
      {{"status", Value::object({{"allocatable", Value::object({{"cpu", std::to_string(cpu)},
                                                                {"pods", "110"}})}})}});
}

Value pod(const std::string& node_name, const std::string& phase, const char* cpu = "1") {
  Value spec = Value::object(
      {{"containers",
        Value::array({Value::object(
            {{"resources", Value::object({{"requests", Value::object({{"cpu", cpu}})}})}})})},
       {"schedulerName", "default-scheduler"}});
  if (!node_name.empty()) spec.set("nodeName", node_name);
  return Value::object({{"spec", spec}, {"status", Value::object({{"phase", phase}})}});
}

void disturb(World& world, base::Random& random) {
  const std::string pod_name = "p" + std::to_string(random.below(12));
  const std::string node_name = "n" + std::to_string(random.below(4));
  const char* cpu = random.below(4) == 0 ? "2" : "1";
  switch (random.below(8)) {
    case 0:
      return world.put(resources::nodes, node_name,
                       node(4 + static_cast<std::int64_t>(random.below(2))));
    case 1:
      return world.erase(resources::nodes, node_name);
    case 2:
    case 3:
      return world.put(resources::pods, pod_name, pod("", "Pending", cpu));
    case 4:
      return world.put(resources::pods, pod_name,
                       pod(node_name, random.below(3) == 0 ? "Succeeded" : "Running", cpu));
    case 5:
      return world.erase(resources::pods, pod_name);
    case 6:
      world.bound["ns/" + pod_name] = node_name;
      return;
    default:
      world.bound.erase("ns/" + pod_name);
  }
}

TEST(Ledger, SaysWhatBooksOpenedAnewSay) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world;
    base::Random random(seed);
    for (int step = 0; step < 200; ++step) {
      disturb(world, random);
      if (random.below(3) != 0) continue;  // several changes between plans
      ASSERT_EQ(world.as_kept(), world.opened_anew()) << "seed " << seed << ", step " << step;
    }
  }
}

TEST(Ledger, ABindingTakesRoomUntilItFails) {
  World world;
  world.put(resources::nodes, "n0", node(4));
  world.put(resources::pods, "p0", pod("", "Pending"));
  EXPECT_EQ(world.as_kept(), "p0 waits\nn0 0:\n");
  world.kept.bind(**world.kept.pending().begin(), 0);
  EXPECT_EQ(World::read(world.kept), "n0 1000: p0\n");
  world.bound["ns/p0"] = "n0";
  EXPECT_EQ(world.as_kept(), "n0 1000: p0\n");
  world.bound.clear();
  EXPECT_EQ(world.as_kept(), "p0 waits\nn0 0:\n");
  // To a node that is not there: it waits for nobody, and takes nobody's room.
  world.bound["ns/p0"] = "gone";
  EXPECT_EQ(world.as_kept(), "n0 0:\n");
  world.bound.clear();
  EXPECT_EQ(world.as_kept(), "p0 waits\nn0 0:\n");
}

}  // namespace
}  // namespace keelway::scheduler
