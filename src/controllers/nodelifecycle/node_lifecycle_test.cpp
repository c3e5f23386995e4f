#include <gtest/gtest.h>

#include "client/resources.h"
#include "client/view.h"
#include "controllers/nodelifecycle/node_lifecycle_loop.h"
#include "value/json.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using namespace std::chrono_literals;

constexpr base::WallTime start{1'767'225'600'000'000};  // 2026-01-01T00:00:00Z

struct Scene {
  client::LocalView view;
  client::Revision revision = 1;
  void put(const client::Resource& resource, std::string_view text) {
    const auto document = value::parse_json(text);
    ASSERT_TRUE(document) << text;
    const auto object =
        schema::Object::parse(std::make_shared<std::string>(value::to_json(*document)), ++revision);
    const auto before = view.get(resource, object->name_space(), object->name());
    view.apply({{{resource, object, before}}, revision, true});
  }
  void node(std::string_view heard) {
    put(resources::nodes,
        R"({"metadata":{"name":"n","uid":"u","creationTimestamp":"2025-12-31T00:00:00Z"},
            "status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":")" +
            std::string(heard) + R"("}]}})");
  }
  void lease(std::string_view renewed) {
    put(resources::leases, R"({"metadata":{"name":"n","namespace":"kube-node-lease"},
            "spec":{"renewTime":")" +
                               std::string(renewed) + R"("}})");
  }
};

bool says_unknown(const reconcile::Plan& plan) {
  for (const auto& action : plan.actions) {
    const client::Call& call = std::get<client::Call>(action.what);
    if (call.resource == resources::nodes &&
        call.body.at("status", "conditions")[0]["status"].as_string() == "Unknown") {
      return true;
    }
  }
  return false;
}

TEST(NodeLifecycle, AStopOfTheServerMakesNoNodeSilent) {
  Scene scene;
  scene.node("2025-12-31T23:58:00Z");
  scene.lease("2025-12-31T23:58:00Z");
  const auto loop = make_node_lifecycle_loop();
  const auto first = loop->plan(scene.view, {"", "n", ""}, start, 1);
  EXPECT_TRUE(first.actions.empty());
  ASSERT_TRUE(std::holds_alternative<reconcile::After>(first.next));
  EXPECT_EQ(std::get<reconcile::After>(first.next).wait, 51s);

  EXPECT_TRUE(says_unknown(loop->plan(scene.view, {"", "n", ""}, start + 52s, 1)))
      << "it had its time to report";
  scene.lease("2026-01-01T00:00:30Z");
  EXPECT_FALSE(says_unknown(loop->plan(scene.view, {"", "n", ""}, start + 52s, 1)));
  EXPECT_TRUE(says_unknown(loop->plan(scene.view, {"", "n", ""}, start + 82s, 1)));
}

TEST(PodCollection, ANodeMayBeMissingForAWhile) {
  Scene scene;
  scene.put(resources::pods,
            R"({"metadata":{"name":"p","namespace":"ns","uid":"p",
                            "creationTimestamp":"2025-12-01T00:00:00Z"},
                "spec":{"nodeName":"n"},"status":{"phase":"Running"}})");
  const auto loop = make_pod_collection_loop();
  const auto plan = [&](base::Duration after) {
    return loop->plan(scene.view, {"", "n", ""}, start + after, 1);
  };
  const auto first = plan(0s);
  EXPECT_TRUE(first.actions.empty()) << "however old the pod is";
  EXPECT_EQ(std::get<reconcile::After>(first.next).wait, 40s);
  scene.node("2026-01-01T00:00:00Z");
  EXPECT_TRUE(std::holds_alternative<reconcile::Done>(plan(20s).next));
  const auto node = scene.view.get(resources::nodes, "", "n");
  scene.view.apply({{{resources::nodes, nullptr, node}}, ++scene.revision, true});
  EXPECT_TRUE(plan(50s).actions.empty());
  EXPECT_FALSE(plan(90s).actions.empty());
}

TEST(PodCollection, TheOldestOfTooManyFinishedPodsGo) {
  Scene scene;
  const auto loop = make_pod_collection_loop(2);
  std::vector<reconcile::Key> keys;
  const auto add = [&](const std::string& name, const std::string& phase, int second) {
    scene.put(resources::pods, R"({"metadata":{"namespace":"ns","name":")" + name + R"(","uid":")" +
                                   name + R"(","creationTimestamp":"2025-12-01T00:00:0)" +
                                   std::to_string(second) + R"(Z"},"spec":{},"status":{"phase":")" +
                                   phase + "\"}}");
    const auto pod = scene.view.get(resources::pods, "ns", name);
    keys.clear();
    loop->keys_of({resources::pods, pod, nullptr}, scene.view, keys);
  };
  add("a", "Succeeded", 5);
  add("b", "Failed", 1);
  add("c", "Running", 0);
  EXPECT_TRUE(keys.empty());
  add("d", "Succeeded", 3);
  ASSERT_EQ(keys.size(), 1u);
  const auto plan = loop->plan(scene.view, keys[0], start, 1);
  ASSERT_EQ(plan.actions.size(), 1u);
  EXPECT_EQ(std::get<client::Call>(plan.actions[0].what).name, "b");
}

}  // namespace
}  // namespace keelway::controllers
