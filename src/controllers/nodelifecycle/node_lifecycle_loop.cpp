#include "controllers/nodelifecycle/node_lifecycle_loop.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "client/resources.h"
#include "placement/taints.h"
#include "reconcile/conditions.h"
#include "reconcile/events.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using placement::Effect;
using reconcile::Key;
using reconcile::Plan;

constexpr std::string_view kLeases = "kube-node-lease";
constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";
constexpr std::array<std::string_view, 4> kConditions = {"Ready", "MemoryPressure", "DiskPressure",
                                                         "PIDPressure"};

struct Mark {
  std::string_view key;
  Effect effect;
  auto operator<=>(const Mark&) const = default;
};

// The taints that this loop owns, and whether the node should have them.
std::map<Mark, bool> marks_of(const value::Value& node) {
  const value::Value& conditions = node.at("status", "conditions");
  const auto status = [&](std::string_view type) -> std::string_view {
    return reconcile::find_condition(conditions, type)["status"].as_string();
  };
  const std::string_view ready = status("Ready");
  const bool not_ready = ready == "False" || ready.empty();
  const bool unknown = ready == "Unknown";
  return {
      {{kNotReady, Effect::no_schedule}, not_ready},
      // A node that never reported has nothing to evict from.
      {{kNotReady, Effect::no_execute}, ready == "False"},
      {{kUnreachable, Effect::no_schedule}, unknown},
      {{kUnreachable, Effect::no_execute}, unknown},
      {{"node.kubernetes.io/memory-pressure", Effect::no_schedule},
       status("MemoryPressure") == "True"},
      {{"node.kubernetes.io/disk-pressure", Effect::no_schedule}, status("DiskPressure") == "True"},
      {{"node.kubernetes.io/pid-pressure", Effect::no_schedule}, status("PIDPressure") == "True"},
      {{"node.kubernetes.io/network-unavailable", Effect::no_schedule},
       status("NetworkUnavailable") == "True"},
      {{"node.kubernetes.io/unschedulable", Effect::no_schedule},
       node.at("spec", "unschedulable").as_bool()},
  };
}

value::Array taints_with(const value::Value& node, base::WallTime now) {
  std::map<Mark, bool> marks = marks_of(node);
  value::Array taints;
  for (const value::Value& taint : node.at("spec", "taints").items()) {
    const auto mark = std::find_if(marks.begin(), marks.end(), [&](const auto& entry) {
      return entry.first.key == taint["key"].as_string() &&
             placement::to_text(entry.first.effect) == taint["effect"].as_string();
    });
    if (mark == marks.end()) {
      // Tolerations count from when the taint came; who taints by hand leaves that out.
      value::Value kept = taint;
      if (taint["effect"].as_string() == "NoExecute" && !taint.contains("timeAdded")) {
        kept.set("timeAdded", base::format_rfc3339(now));
      }
      taints.push_back(std::move(kept));
    } else if (std::exchange(mark->second, false)) {
      taints.push_back(taint);
    }
  }
  for (const auto& [mark, wanted] : marks) {
    if (!wanted) continue;
    value::Value taint = placement::to_value({std::string(mark.key), "", mark.effect});
    taint.set("timeAdded", base::format_rfc3339(now));
    taints.push_back(std::move(taint));
  }
  return taints;
}

class NodeLifecycleLoop final : public reconcile::KeyedLoop {
 public:
  explicit NodeLifecycleLoop(NodeLifecycleOptions options) : options_(options) {}

  std::string_view name() const override { return "node-controller"; }
  std::vector<client::Resource> watches() const override {
    return {resources::nodes, resources::leases, resources::pods};
  }

  void keys_of(const client::Change& change, const View&, std::vector<Key>& keys) const override {
    const ObjectPtr& named = change.object ? change.object : change.previous;
    if (change.resource == resources::nodes) {
      keys.push_back({"", named->name(), ""});
    } else if (change.resource == resources::leases && named->name_space() == kLeases &&
               !(change.object && change.previous)) {
      // Renewals need no plan: the timer of the last one looks at the lease when it matters.
      keys.push_back({"", named->name(), ""});
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now,
            reconcile::Seed seed) const override {
    if (!first_plan_) first_plan_ = now;
    const ObjectPtr node = view.get(resources::nodes, "", key.name);
    if (!node) return {};
    const value::Value document = node->value();
    Plan plan;
    const base::Duration left = left_of_grace(view, document, now);
    const auto& ready =
        reconcile::find_condition(document.at("status", "conditions"), "Ready")["status"];
    if (left > base::Duration(0)) {
      plan.next = reconcile::After{left + std::chrono::seconds(1)};
    } else if (ready.as_string() != "Unknown") {
      return declare_silent(document, now, seed);
    }
    const value::Array taints = taints_with(document, now);
    if (!(taints == document.at("spec", "taints").items())) {
      value::Value patch = value::Value::object();
      value::Value& listed = patch.mutate("spec").mutate("taints");  // null removes the field
      if (!taints.empty()) listed = value::Value(taints);
      // Taints are one list that others write too.
      patch.mutate("metadata").set("resourceVersion", std::to_string(node->revision()));
      plan.actions.push_back(
          {client::merge_patch_call(resources::nodes, "", key.name, std::move(patch)),
           {"NotFound"},
           ""});
    }
    if (ready.as_string() == "Unknown" || ready.as_string() == "False") {
      mark_pods(plan, view, key.name, now);
    }
    return plan;
  }

 private:
  base::Duration left_of_grace(const View& view, const value::Value& node,
                               base::WallTime now) const {
    const std::string& name = node.at("metadata", "name").as_string();
    base::WallTime heard{};
    const auto hear = [&](const value::Value& time) {
      if (const auto at = base::parse_rfc3339(time.as_string())) heard = std::max(heard, *at);
    };
    const value::Value& ready = reconcile::find_condition(node.at("status", "conditions"), "Ready");
    hear(ready["lastHeartbeatTime"]);
    if (const ObjectPtr lease = view.get(resources::leases, kLeases, name)) {
      hear(lease->value().at("spec", "renewTime"));
    }
    if (ready.is_null() && heard == base::WallTime{}) {
      hear(node.at("metadata", "creationTimestamp"));
      return since(heard) + options_.startup_grace - now;
    }
    return since(heard) + options_.grace - now;
  }

  // Nodes cannot report while there is no server: none is silent for longer than this loop listens.
  base::WallTime since(base::WallTime heard) const { return std::max(heard, *first_plan_); }

  Plan declare_silent(const value::Value& node, base::WallTime now, reconcile::Seed seed) const {
    value::Value status = node["status"];
    value::Value conditions = status["conditions"];
    const bool had_reported = !reconcile::find_condition(conditions, "Ready").is_null();
    for (const std::string_view type : kConditions) {
      const bool reported = !reconcile::find_condition(conditions, type).is_null();
      reconcile::set_condition(
          conditions,
          {type, "Unknown", reported ? "NodeStatusUnknown" : "NodeStatusNeverUpdated",
           reported ? "Kubelet stopped posting node status." : "Kubelet never posted node status."},
          now);
    }
    status.set("conditions", std::move(conditions));
    value::Value changed = node;
    changed.set("status", std::move(status));
    Plan plan;
    plan.actions.push_back(
        {client::update_call(resources::nodes, std::move(changed), "status"), {"NotFound"}, ""});
    if (had_reported) {
      const std::string& node_name = node.at("metadata", "name").as_string();
      plan.actions.push_back(reconcile::event_action(
          resources::nodes, node, name(),
          {"NodeNotReady", "Node " + node_name + " status is now: NodeNotReady", false}, now,
          seed));
    }
    return plan;
  }

  // Services must not send traffic to what nobody hears of.
  static void mark_pods(Plan& plan, const View& view, const std::string& node, base::WallTime now) {
    for (const ObjectPtr& pod : view.pods_on(node)) {
      value::Value document = pod->value();
      value::Value conditions = document.at("status", "conditions");
      const value::Value& ready = reconcile::find_condition(conditions, "Ready");
      if (ready["status"].as_string() != "True") continue;
      reconcile::set_condition(conditions, {"Ready", "False", "", ""}, now);
      document.mutate("status").set("conditions", std::move(conditions));
      plan.actions.push_back({client::update_call(resources::pods, std::move(document), "status"),
                              {"NotFound", "Conflict"},
                              ""});
    }
  }

  const NodeLifecycleOptions options_;
  mutable std::optional<base::WallTime> first_plan_;
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_node_lifecycle_loop(NodeLifecycleOptions options) {
  return std::make_unique<NodeLifecycleLoop>(options);
}

}  // namespace keelway::controllers
