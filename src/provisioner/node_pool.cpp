#include "provisioner/node_pool.h"

#include <algorithm>
#include <charconv>

#include "provisioner/names.h"
#include "reconcile/conditions.h"

namespace keelway::provisioner {
namespace {

using value::Value;

void read_limits(const Value& limits, NodePool& pool) {
  const auto amounts = placement::ResourceList::read(limits);
  for (const auto& [name, amount] : limits.members()) {
    if (name != "nodes") {
      pool.limits.emplace_back(name, amounts.get(name));
    } else {
      pool.node_limit =
          amount.is_string() ? std::atoll(amount.as_string().c_str()) : amount.as_int();
    }
  }
}

void read_disruption(const Value& disruption, NodePool& pool) {
  const std::string_view after = disruption["consolidateAfter"].string_or("0s");
  if (after != "Never") pool.consolidate_after = base::parse_duration(after);
  pool.only_when_empty = disruption["consolidationPolicy"].as_string() == "WhenEmpty";
  for (const Value& item : disruption["budgets"].items()) {
    Budget budget;
    budget.nodes = item["nodes"].string_or("10%");
    for (const Value& reason : item["reasons"].items()) budget.reasons.insert(reason.as_string());
    pool.budgets.push_back(std::move(budget));
  }
  if (pool.budgets.empty()) pool.budgets.push_back({});
}

}  // namespace

value::Value ClassRef::to_value() const {
  return Value::object({{"group", group}, {"kind", kind}, {"name", name}});
}

std::int64_t Budget::allowed(std::int64_t total) const {
  std::int64_t number = 0;
  std::from_chars(nodes.data(), nodes.data() + nodes.size(), number);
  if (!nodes.ends_with('%')) return number;
  return (total * number + 99) / 100;
}

std::int64_t NodePool::budget_for(std::string_view reason, std::int64_t total) const {
  std::int64_t allowed = total;
  for (const Budget& budget : budgets) {
    const bool applies = budget.reasons.empty() || budget.reasons.contains(std::string(reason));
    if (applies) allowed = std::min(allowed, budget.allowed(total));
  }
  return allowed;
}

NodePool read_node_pool(const schema::Object& object) {
  const Value document = object.value();
  const Value& spec = document["spec"];
  const Value& node = spec.at("template", "spec");
  NodePool pool;
  pool.name = object.name();
  pool.uid = object.uid();
  pool.weight = spec["weight"].as_int();
  pool.deleting = object.deleting();
  pool.ready = reconcile::is_condition_true(document.at("status", "conditions"), "Ready");
  pool.labels = placement::Labels::read(spec.at("template", "metadata", "labels"));
  pool.labels.set(pool_label, pool.name);
  pool.annotations = spec.at("template", "metadata", "annotations");
  pool.requirements = placement::Requirements::read(node["requirements"]);
  pool.requirements.add(placement::Requirements::of_labels(pool.labels));
  pool.taint_documents = node["taints"];
  pool.startup_taint_documents = node["startupTaints"];
  pool.taints = placement::read_taints(node["taints"]);
  const Value& ref = node["nodeClassRef"];
  pool.node_class = {ref["group"].as_string(), ref["kind"].as_string(), ref["name"].as_string()};
  pool.expire_after = node["expireAfter"].string_or("720h");
  pool.termination_grace_period = node["terminationGracePeriod"].as_string();
  read_limits(spec["limits"], pool);
  read_disruption(spec["disruption"], pool);
  return pool;
}

}  // namespace keelway::provisioner
