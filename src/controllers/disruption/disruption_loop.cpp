#include "controllers/disruption/disruption_loop.h"

#include <algorithm>
#include <map>
#include <utility>

#include "client/resources.h"
#include "controllers/pod_state.h"
#include "reconcile/conditions.h"
#include "value/selector.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using reconcile::Key;
using reconcile::Plan;

const client::Resource kStatefulSets{"apps", "v1", "statefulsets", "StatefulSet", true};
// An eviction that was granted counts until the pod is seen to go, at most this long after it was
// first seen here: the time in it is that of the server that granted it, whose clock may differ.
constexpr base::Duration kDisruptionTimeout = std::chrono::minutes(2);

struct Scale {
  std::string uid;
  std::int64_t replicas = 0;
};

std::optional<Scale> scale_in(const View& view, const client::Resource& resource,
                              const std::string& name_space, const schema::OwnerReference& owner) {
  const ObjectPtr object = view.get(resource, name_space, owner.name);
  if (!object || object->uid() != owner.uid) return std::nullopt;
  return Scale{owner.uid, object->value().at("spec", "replicas").as_int(1)};
}

// The size of what makes the pod: of the deployment rather than of its replica set.
std::optional<Scale> scale_of(const View& view, const client::Object& pod) {
  const schema::OwnerReference* owner = pod.controller();
  if (owner == nullptr) return std::nullopt;
  const std::string& name_space = pod.name_space();
  if (owner->kind == "StatefulSet") return scale_in(view, kStatefulSets, name_space, *owner);
  if (owner->kind != "ReplicaSet") return std::nullopt;
  const ObjectPtr set = view.get(resources::replica_sets, name_space, owner->name);
  if (!set || set->uid() != owner->uid) return std::nullopt;
  if (const schema::OwnerReference* above = set->controller();
      above && above->kind == "Deployment") {
    return scale_in(view, resources::deployments, name_space, *above);
  }
  return Scale{owner->uid, set->value().at("spec", "replicas").as_int(1)};
}

struct Demand {
  std::int64_t expected = 0, desired = 0;
};

Demand demand_of(const View& view, const value::Value& spec, const std::vector<ObjectPtr>& pods) {
  Demand demand;
  const value::Value& most = spec["maxUnavailable"];
  const value::Value& least = spec["minAvailable"];
  if (most.is_null() && least.is_int()) {
    demand.expected = static_cast<std::int64_t>(pods.size());
    demand.desired = least.as_int();
    return demand;
  }
  std::map<std::string, std::int64_t> scales;
  for (const ObjectPtr& pod : pods) {
    if (const auto scale = scale_of(view, *pod)) scales[scale->uid] = scale->replicas;
  }
  for (const auto& [uid, replicas] : scales) demand.expected += replicas;
  if (!most.is_null()) {
    const std::int64_t may_miss = resolve_percent(most, demand.expected, true);
    demand.desired = std::max<std::int64_t>(demand.expected - may_miss, 0);
  } else if (!least.is_null()) {
    demand.desired = resolve_percent(least, demand.expected, true);
  }
  return demand;
}

// Granted evictions that are still on their way.
struct Granted {
  value::Value pods = value::Value::object();
  std::optional<base::Duration> until_next;
};

// When each of a budget's entries was first seen, by pod and the time that it names.
using FirstSeen = std::map<std::pair<std::string, std::string>, base::WallTime>;

Granted still_granted(const value::Value& before, const std::vector<ObjectPtr>& pods,
                      base::WallTime now, FirstSeen& first_seen) {
  const FirstSeen known = std::exchange(first_seen, {});
  Granted granted;
  for (const auto& [name, at] : before.members()) {
    const auto pod = std::find_if(pods.begin(), pods.end(),
                                  [&](const ObjectPtr& p) { return p->name() == name; });
    if (pod == pods.end() || (*pod)->deleting()) continue;
    const std::pair entry(name, at.as_string());
    const auto seen = known.find(entry);
    const base::WallTime since = seen == known.end() ? now : seen->second;
    first_seen.emplace(entry, since);
    const base::Duration left = since + kDisruptionTimeout - now;
    if (left <= base::Duration(0)) continue;
    granted.pods.set(name, at);
    granted.until_next = std::min(granted.until_next.value_or(left), left);
  }
  return granted;
}

class DisruptionLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "disruption-controller"; }

  std::vector<client::Resource> watches() const override {
    return {resources::disruption_budgets, resources::pods, resources::replica_sets,
            resources::deployments, kStatefulSets};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& named = change.object ? change.object : change.previous;
    if (change.resource == resources::disruption_budgets) {
      keys.push_back({named->name_space(), named->name(), ""});
      return;
    }
    const bool is_pod = change.resource == resources::pods;
    if (!is_pod && change.object && change.previous && same_scale(change)) return;
    for (const ObjectPtr& budget : view.list(resources::disruption_budgets, named->name_space())) {
      if (is_pod && !concerns(*budget, change)) continue;
      keys.push_back({budget->name_space(), budget->name(), ""});
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    const ObjectPtr budget = view.get(resources::disruption_budgets, key.name_space, key.name);
    if (!budget || budget->deleting()) {
      first_seen_.erase(key);
      return {};
    }
    const value::Value document = budget->value();
    const auto selector = value::LabelSelector::from_value(document.at("spec", "selector"));
    if (!selector) return {{}, reconcile::Stop{selector.error().message}};
    std::vector<ObjectPtr> pods;
    for (const ObjectPtr& pod : view.list(resources::pods, key.name_space)) {
      if (selector->matches(pod->labels())) pods.push_back(pod);
    }
    FirstSeen& first_seen = first_seen_[key];
    const Granted granted =
        still_granted(document.at("status", "disruptedPods"), pods, now, first_seen);
    if (first_seen.empty()) first_seen_.erase(key);
    std::int64_t healthy = 0;
    for (const ObjectPtr& pod : pods) {
      if (pod->deleting() || granted.pods.contains(pod->name())) continue;
      healthy += read_pod_state(pod).ready;
    }
    const Demand demand = demand_of(view, document["spec"], pods);
    const std::int64_t allowed =
        demand.expected <= 0 ? 0 : std::max<std::int64_t>(healthy - demand.desired, 0);

    value::Value status = document["status"];
    status.set("currentHealthy", healthy);
    status.set("desiredHealthy", demand.desired);
    status.set("expectedPods", demand.expected);
    status.set("disruptionsAllowed", allowed);
    const std::int64_t generation = document.at("metadata", "generation").as_int();
    status.set("observedGeneration", generation);
    if (granted.pods.empty())
      status.erase("disruptedPods");
    else
      status.set("disruptedPods", granted.pods);
    value::Value conditions = status["conditions"];
    reconcile::set_condition(conditions,
                             {"DisruptionAllowed", allowed > 0 ? "True" : "False",
                              allowed > 0 ? "SufficientPods" : "InsufficientPods", ""},
                             now, generation);
    // The field is required there, even where there is nothing to say.
    for (value::Value& condition : conditions.mutable_items()) {
      if (!condition.contains("message")) condition.set("message", "");
    }
    status.set("conditions", std::move(conditions));

    Plan plan;
    if (granted.until_next) plan.next = reconcile::After{*granted.until_next};
    if (status == document["status"]) return plan;
    value::Value changed = document;
    changed.set("status", std::move(status));
    // Against the revision that was read: an eviction that was granted meanwhile must not be lost.
    plan.actions.push_back(
        {client::update_call(resources::disruption_budgets, std::move(changed), "status"),
         {"NotFound"},
         ""});
    return plan;
  }

 private:
  static bool same_scale(const client::Change& change) {
    return change.object->value().at("spec", "replicas") ==
           change.previous->value().at("spec", "replicas");
  }

  static bool concerns(const client::Object& budget, const client::Change& change) {
    const auto selector = value::LabelSelector::from_value(budget.value().at("spec", "selector"));
    if (!selector) return false;
    return (change.object && selector->matches(change.object->labels())) ||
           (change.previous && selector->matches(change.previous->labels()));
  }

  mutable std::map<Key, FirstSeen> first_seen_;  // of budgets with granted evictions
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_disruption_loop() {
  return std::make_unique<DisruptionLoop>();
}

}  // namespace keelway::controllers
