#include "controllers/clusterroleaggregation/cluster_role_aggregation_loop.h"

#include <algorithm>

#include "client/resources.h"
#include "value/json_scan.h"
#include "value/selector.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using reconcile::Key;
using reconcile::Plan;
using value::Value;

constexpr std::string_view kMember = "aggregationRule";

// Looks no further than the first members: every change of a role asks it of all roles.
bool is_aggregated(const client::Object& role) {
  return !value::json_member_place(role.outline(), kMember);
}

void add_rules(const Value& from, Value& rules) {
  for (const Value& rule : from.items()) {
    const auto& known = rules.items();
    if (std::find(known.begin(), known.end(), rule) == known.end()) rules.push(rule);
  }
}

base::Result<Value> selected_rules(const View& view, const Value& role) {
  Value rules = Value::array();
  const std::vector<ObjectPtr> all = view.list(resources::cluster_roles);
  for (const Value& selector : role[kMember]["clusterRoleSelectors"].items()) {
    const auto parsed = value::LabelSelector::from_value(selector);
    if (!parsed) return std::unexpected(parsed.error());
    for (const ObjectPtr& other : all) {
      if (other->name() == role.at("metadata", "name").as_string()) continue;
      if (parsed->matches(other->labels())) add_rules(other->value()["rules"], rules);
    }
  }
  return rules;
}

class ClusterRoleAggregationLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "clusterrole-aggregation-controller"; }
  std::vector<client::Resource> watches() const override { return {resources::cluster_roles}; }

  // Any role may be selected, or have been until now, by any aggregated one.
  void keys_of(const client::Change&, const View& view, std::vector<Key>& keys) const override {
    for (const ObjectPtr& role : view.list(resources::cluster_roles)) {
      if (is_aggregated(*role)) keys.push_back({"", role->name(), ""});
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime, reconcile::Seed) const override {
    const ObjectPtr object = view.get(resources::cluster_roles, "", key.name);
    if (!object || !is_aggregated(*object)) return {};
    const Value role = object->value();
    base::Result<Value> rules = selected_rules(view, role);
    if (!rules) return {{}, reconcile::Stop{rules.error().message}};
    const Value& present = role["rules"];
    if (*rules == present || (rules->empty() && present.empty())) return {};
    Value patch = Value::object({{"rules", std::move(*rules)}});
    // A role that is no longer aggregated keeps the rules that its owner gives it.
    patch.mutate("metadata").set("resourceVersion", role.at("metadata", "resourceVersion"));
    Plan plan;
    plan.actions.push_back(
        {client::merge_patch_call(resources::cluster_roles, "", key.name, std::move(patch)),
         {"NotFound"},
         ""});
    return plan;
  }
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_cluster_role_aggregation_loop() {
  return std::make_unique<ClusterRoleAggregationLoop>();
}

}  // namespace keelway::controllers
