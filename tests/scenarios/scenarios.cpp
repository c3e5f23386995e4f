#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/resources.h"
#include "controllers/clusterroleaggregation/cluster_role_aggregation_loop.h"
#include "controllers/crd/crd_loop.h"
#include "controllers/deployment/deployment_loop.h"
#include "controllers/disruption/disruption_loop.h"
#include "controllers/garbage/garbage_loop.h"
#include "controllers/namespace/namespace_loop.h"
#include "controllers/nodelifecycle/node_lifecycle_loop.h"
#include "controllers/replicaset/replica_set_loop.h"
#include "controllers/serviceaccount/service_account_loop.h"
#include "scheduler/scheduler_loop.h"
#include "value/json.h"
#include "value/yaml.h"

namespace keelway {
namespace {

namespace resources = client::resources;
using value::Value;

const std::vector<client::Resource>& built_in() {
  static const std::vector<client::Resource> all = {
      resources::namespaces,
      resources::pods,
      resources::nodes,
      resources::config_maps,
      resources::secrets,
      resources::service_accounts,
      resources::events,
      resources::deployments,
      resources::replica_sets,
      resources::leases,
      resources::disruption_budgets,
      resources::crds,
      resources::cluster_roles,
  };
  return all;
}

std::optional<client::Resource> resource_of(const Value& object) {
  const std::string& kind = object["kind"].as_string();
  for (const client::Resource& resource : built_in()) {
    if (resource.kind == kind) return resource;
  }
  // A custom object: the plural is the lower-case kind with an s.
  const std::string& api = object["apiVersion"].as_string();
  const std::size_t slash = api.find('/');
  if (slash == std::string::npos) return std::nullopt;
  std::string plural = kind + "s";
  std::transform(plural.begin(), plural.end(), plural.begin(), ::tolower);
  return client::Resource{api.substr(0, slash), api.substr(slash + 1), plural, kind,
                          object.at("metadata").contains("namespace")};
}

client::LocalView view_of(const Value& objects) {
  client::ChangeBatch batch;
  for (const Value& item : objects.items()) {
    Value object = item;
    Value& metadata = object.mutate("metadata");
    if (!metadata.contains("uid")) metadata.set("uid", "uid-" + metadata["name"].as_string());
    const auto resource = resource_of(object);
    EXPECT_TRUE(resource.has_value()) << value::to_json(object);
    if (!resource) continue;
    const auto bytes = std::make_shared<std::string>(value::to_json(object));
    batch.changes.push_back({*resource, schema::Object::parse(bytes, ++batch.revision), nullptr});
  }
  batch.synced = true;
  client::LocalView view;
  view.apply(batch);
  return view;
}

std::unique_ptr<reconcile::KeyedLoop> keyed_loop(const std::string& name) {
  if (name == "deployment") return controllers::make_deployment_loop();
  if (name == "replicaset") return controllers::make_replica_set_loop();
  if (name == "disruption") return controllers::make_disruption_loop();
  if (name == "garbage") return controllers::make_garbage_loop(built_in());
  if (name == "namespace") return controllers::make_namespace_loop(built_in());
  if (name == "clusterrole") return controllers::make_cluster_role_aggregation_loop();
  if (name == "crd") return controllers::make_crd_loop();
  if (name == "node") return controllers::make_node_lifecycle_loop();
  if (name == "eviction") return controllers::make_taint_eviction_loop();
  if (name == "podgc") return controllers::make_pod_collection_loop();
  if (name == "serviceaccount") return controllers::make_service_account_loop();
  return nullptr;
}

reconcile::Plan plan_case(const Value& scenario, const client::View& view, base::WallTime now) {
  constexpr reconcile::Seed kSeed = 1;
  const std::string& name = scenario["loop"].as_string();
  if (name == "scheduler") {
    std::vector<reconcile::Action> issued;
    for (const Value& item : scenario["assumed"].items()) {
      const std::string& pod = item["pod"].as_string();
      client::Call call;
      call.verb = client::Verb::create;
      call.resource = resources::pods;
      call.name_space = pod.substr(0, pod.find('/'));
      call.name = pod.substr(pod.find('/') + 1);
      call.subresource = "binding";
      call.body.mutate("target").set("name", item["node"]);
      issued.push_back({std::move(call), {}, ""});
    }
    reconcile::BatchLoop::Assumed assumed;
    for (const reconcile::Action& action : issued) assumed.actions.push_back(&action);
    return scheduler::make_scheduler_loop()->plan(view, assumed, now, kSeed);
  }
  const auto loop = keyed_loop(name);
  EXPECT_NE(loop, nullptr) << "no loop " << name;
  if (!loop) return {};
  const Value& names = scenario["key"];
  const reconcile::Key key{names["namespace"].as_string(), names["name"].as_string(),
                           names["kind"].as_string()};
  if (const auto first = base::parse_rfc3339(scenario["first"].as_string())) {
    loop->plan(view, key, *first, kSeed);
  }
  return loop->plan(view, key, now, kSeed);
}

// Empty, or where and how `actual` differs from what `expected` names.
std::string difference(const Value& expected, const Value& actual, const std::string& path) {
  if (expected.is_string() && expected.as_string() == "*") {
    return actual.is_null() ? path + ": absent" : "";
  }
  if (expected.is_object()) {
    for (const auto& [key, part] : expected.members()) {
      std::string found = difference(part, actual[key], path + "." + key);
      if (!found.empty()) return found;
    }
    return expected.empty() && !actual.is_object() ? path + ": no object" : "";
  }
  if (expected.is_array()) {
    if (expected.size() != actual.size()) return path + ": length " + std::to_string(actual.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      std::string found = difference(expected[i], actual[i], path + "[" + std::to_string(i) + "]");
      if (!found.empty()) return found;
    }
    return "";
  }
  return expected == actual ? "" : path + ": is " + value::to_json(actual);
}

constexpr std::string_view kVerbs[] = {"get",   "list",   "create",           "update",
                                       "patch", "remove", "remove_collection"};

Value describe(const client::Call& call) {
  return Value::object({{"verb", kVerbs[static_cast<int>(call.verb)]},
                        {"resource", call.resource.resource},
                        {"namespace", call.name_space},
                        {"name", call.name},
                        {"subresource", call.subresource},
                        {"body", call.body}});
}

void compare(const Value& scenario, const reconcile::Plan& plan) {
  Value actions = Value::array(), events = Value::array();
  for (const reconcile::Action& action : plan.actions) {
    const auto* call = std::get_if<client::Call>(&action.what);
    ASSERT_NE(call, nullptr);
    if (call->resource == resources::events && call->verb == client::Verb::create) {
      events.push(call->body["reason"].as_string() + ": " + call->body["message"].as_string());
    } else {
      actions.push(describe(*call));
    }
  }
  EXPECT_EQ(difference(scenario["actions"].is_array() ? scenario["actions"] : Value::array(),
                       actions, "actions"),
            "")
      << value::to_pretty_json(actions);
  if (scenario.contains("events")) {
    EXPECT_EQ(difference(scenario["events"], events, "events"), "") << value::to_json(events);
  }
  const std::string& next = scenario["next"].as_string();
  if (next.empty()) return;
  const auto* after = std::get_if<reconcile::After>(&plan.next);
  EXPECT_EQ(after != nullptr ? base::format_duration(after->wait) : "done", next);
}

class ScenarioTest : public ::testing::Test {
 public:
  explicit ScenarioTest(Value scenario) : scenario_(std::move(scenario)) {}
  void TestBody() override {
    const auto now = base::parse_rfc3339(scenario_["now"].string_or("2026-01-01T00:00:00Z"));
    ASSERT_TRUE(now.has_value());
    const client::LocalView view = view_of(scenario_["objects"]);
    compare(scenario_, plan_case(scenario_, view, *now));
    compare(scenario_, plan_case(scenario_, view, *now));
  }

 private:
  const Value scenario_;
};

int register_cases() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(KEELWAY_CASES)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  int count = 0;
  for (const std::filesystem::path& file : files) {
    std::ifstream stream(file);
    std::stringstream text;
    text << stream.rdbuf();
    const auto documents = value::parse_yaml_stream(text.str());
    if (!documents) {
      fprintf(stderr, "%s: %s\n", file.c_str(), documents.error().message.c_str());
      return -1;
    }
    for (const Value& scenario : *documents) {
      const std::string name = scenario["case"].as_string();
      ::testing::RegisterTest(
          file.stem().c_str(), name.c_str(), nullptr, nullptr, file.c_str(), 1,
          [scenario]() -> ::testing::Test* { return new ScenarioTest(scenario); });
      ++count;
    }
  }
  return count;
}

}  // namespace
}  // namespace keelway

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (keelway::register_cases() <= 0) return 1;
  return RUN_ALL_TESTS();
}
