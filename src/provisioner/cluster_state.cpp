#include "provisioner/cluster_state.h"

#include <algorithm>

#include "base/quantity.h"
#include "client/resources.h"
#include "provisioner/names.h"
#include "provisioner/solver.h"
#include "reconcile/conditions.h"

namespace keelway::provisioner {
namespace {

namespace resources = client::resources;
using value::Value;

// Taints that a node has only until it is up.
bool is_ephemeral(const placement::Taint& taint) {
  return taint.key == unregistered_taint || taint.key == "node.kubernetes.io/not-ready" ||
         taint.key == "node.kubernetes.io/unreachable" ||
         taint.key == "node.cloudprovider.kubernetes.io/uninitialized";
}

void drop_ephemeral(std::vector<placement::Taint>& taints, const Value& startup) {
  const auto start_up = placement::read_taints(startup);
  std::erase_if(taints, [&](const placement::Taint& taint) {
    return is_ephemeral(taint) ||
           std::find(start_up.begin(), start_up.end(), taint) != start_up.end();
  });
}

std::int64_t read_price(const Value& object) {
  const auto price = base::Quantity::parse_or_zero(
      object.at("metadata", "annotations", cost_annotation).as_string());
  return static_cast<std::int64_t>(price.nano() / 1000);
}

// The node that a claim will become, as far as it is known: before the launch it is the cheapest
// type that the claim allows, because that is what the launch takes.
void expect_node(const Value& claim, const cloud::Catalogue& catalogue, ClaimState& state) {
  const Value& spec = claim["spec"];
  const auto requirements = placement::Requirements::read(spec["requirements"]);
  placement::Labels labels = requirements.fixed_labels();
  const placement::Labels stated = placement::Labels::read(claim.at("metadata", "labels"));
  for (const auto& [key, text] : stated.pairs()) labels.set(key, text);
  state.node.capacity = placement::ResourceList::read(claim.at("status", "capacity"));
  state.node.allocatable = placement::ResourceList::read(claim.at("status", "allocatable"));
  if (state.node.allocatable.is_zero()) {
    state.type_is_open = true;
    state.requirements = requirements;
    state.requests = placement::ResourceList::read(spec.at("resources", "requests"));
    const Choice choice = cheapest_choice(requirements, state.requests, catalogue);
    if (choice.type != nullptr) {
      state.node.capacity = choice.type->capacity;
      state.node.allocatable = choice.type->allocatable;
      state.instance_type = choice.type->name;
      state.price_micro_usd = choice.offering->price_micro_usd;
      for (const auto& [key, text] : choice.type->labels.pairs()) labels.set(key, text);
      labels.set(zone_label, choice.offering->zone);
      labels.set(capacity_type_label, choice.offering->capacity_type);
    }
  }
  state.node.name = state.name;
  state.node.labels = std::move(labels);
  state.node.taints = placement::read_taints(spec["taints"]);
}

ClaimState read_claim(const Value& claim, const cloud::Catalogue& catalogue) {
  const Value& metadata = claim["metadata"];
  const Value& conditions = claim.at("status", "conditions");
  ClaimState state;
  state.name = metadata["name"].as_string();
  state.uid = metadata["uid"].as_string();
  state.pool = metadata.at("labels", pool_label).as_string();
  state.node_name = claim.at("status", "nodeName").as_string();
  state.provider_id = claim.at("status", "providerID").as_string();
  state.deleting = !metadata["deletionTimestamp"].is_null();
  state.launched = reconcile::is_condition_true(conditions, "Launched");
  state.registered = reconcile::is_condition_true(conditions, "Registered");
  state.initialized = reconcile::is_condition_true(conditions, "Initialized");
  state.consolidatable = reconcile::is_condition_true(conditions, "Consolidatable");
  state.created =
      base::parse_rfc3339(metadata["creationTimestamp"].as_string()).value_or(base::WallTime{});
  state.expire_after = claim.at("spec", "expireAfter").string_or("720h");
  state.instance_type = metadata.at("labels", instance_type_label).as_string();
  state.price_micro_usd = read_price(claim);
  state.replaces = metadata.at("annotations", replaces_annotation).as_string();
  expect_node(claim, catalogue, state);
  return state;
}

}  // namespace

placement::PodInfoPtr PodCache::read(const client::ObjectPtr& object) {
  Entry& entry = by_uid_[object->uid()];
  if (!entry.info || entry.revision != object->revision()) {
    entry.info = std::make_shared<placement::PodInfo>(placement::read_pod(object->value()));
    entry.revision = object->revision();
  }
  entry.used = true;
  return entry.info;
}

void PodCache::sweep() {
  for (auto it = by_uid_.begin(); it != by_uid_.end();) {
    if (std::exchange(it->second.used, false))
      ++it;
    else
      it = by_uid_.erase(it);
  }
}

const ClaimState& ClaimCache::read(const client::ObjectPtr& claim, const client::ObjectPtr& node,
                                   const cloud::Catalogue& catalogue) {
  const auto place = by_uid_.find(claim->uid());
  Entry& entry = place != by_uid_.end() ? place->second : by_uid_[claim->uid()];
  entry.used = true;
  const client::Revision of_node = node ? node->revision() : 0;
  if (entry.claim == claim->revision() && entry.node == of_node) return entry.state;
  const Value document = claim->value();
  entry.claim = claim->revision();
  entry.node = of_node;
  entry.state = read_claim(document, catalogue);
  if (!node) return entry.state;
  entry.state.node_name = node->name();
  entry.state.node = placement::read_node(node->value());
  // Once it is up, such a taint means that the node is ill.
  if (!entry.state.initialized) {
    drop_ephemeral(entry.state.node.taints, document.at("spec", "startupTaints"));
  }
  return entry.state;
}

void ClaimCache::sweep() {
  for (auto it = by_uid_.begin(); it != by_uid_.end();) {
    if (std::exchange(it->second.used, false))
      ++it;
    else
      it = by_uid_.erase(it);
  }
}

std::map<std::string, ClaimState> read_claims(const client::View& view,
                                              const cloud::Catalogue& catalogue, PodCache& pods,
                                              ClaimCache& known) {
  std::map<std::string, client::ObjectPtr> nodes;
  for (client::ObjectPtr& node : view.list(resources::nodes)) {
    std::string provider = node->field("spec.providerID");
    nodes[std::move(provider)] = std::move(node);
  }
  std::map<std::string, ClaimState> claims;
  for (const client::ObjectPtr& object : view.list(resources::node_claims)) {
    const std::string provider = object->field("status.providerID");
    const auto node = provider.empty() ? nodes.end() : nodes.find(provider);
    ClaimState state = known.read(object, node != nodes.end() ? node->second : nullptr, catalogue);
    if (node != nodes.end()) {
      for (const client::ObjectPtr& pod : view.pods_on(state.node_name)) {
        auto info = pods.read(pod);
        if (!info->finished) state.node.add(std::move(info));
      }
    }
    std::string name = state.name;
    claims[std::move(name)] = std::move(state);
  }
  known.sweep();
  return claims;
}

ClaimState read_assumed_claim(const value::Value& body, const cloud::Catalogue& catalogue) {
  return read_claim(body, catalogue);
}

void count_use(const std::map<std::string, ClaimState>& claims, SolverInput& input) {
  std::set<std::string> limited;
  for (const NodePool& pool : input.pools) {
    if (!pool.limits.empty()) limited.insert(pool.name);
  }
  for (const auto& [name, claim] : claims) {
    ++input.node_counts[claim.pool];
    if (!limited.contains(claim.pool)) continue;
    // Before the launch it may become any type that it allows: the cheapest may be sold out.
    const auto& known =
        claim.node.capacity.is_zero() ? claim.node.allocatable : claim.node.capacity;
    input.used[claim.pool].add(
        claim.type_is_open ? most_capacity(claim.requirements, claim.requests, *input.catalogue)
                           : known);
  }
}

std::vector<NodePool> read_ready_pools(const client::View& view) {
  std::vector<NodePool> pools;
  for (const client::ObjectPtr& object : view.list(resources::node_pools)) {
    NodePool pool = read_node_pool(*object);
    if (pool.ready && !pool.deleting) pools.push_back(std::move(pool));
  }
  std::stable_sort(pools.begin(), pools.end(), [](const NodePool& a, const NodePool& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.name < b.name;
  });
  return pools;
}

bool waits_for_room(const Value& pod) {
  if (!pod.at("spec", "nodeName").as_string().empty()) return false;
  for (const Value& condition : pod.at("status", "conditions").items()) {
    if (condition["type"].as_string() == "PodScheduled") {
      return condition["status"].as_string() == "False" &&
             condition["reason"].as_string() == "Unschedulable";
    }
  }
  return false;
}

bool is_reschedulable(const placement::PodInfo& pod) {
  return !pod.of_daemon_set && !pod.finished;
}

}  // namespace keelway::provisioner
