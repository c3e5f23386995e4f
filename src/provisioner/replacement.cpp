#include "provisioner/replacement.h"

#include <algorithm>

#include "placement/fit.h"
#include "provisioner/names.h"
#include "provisioner/pod_rules.h"

namespace keelway::provisioner {
namespace {

using placement::PodInfoPtr;
using placement::Requirements;
using placement::ValueSet;

// What a node of the pool must be to carry the pods; nothing where it cannot.
std::optional<Requirements> join(const NodePool& pool, const std::vector<PodInfoPtr>& pods) {
  Requirements joined = pool.requirements;
  for (const PodInfoPtr& pod : pods) {
    const Requirements wanted = Requirements::of_pod(pod->node_affinity);
    if (placement::find_untolerated(pool.taints, pod->tolerations) != nullptr ||
        !joined.compatible(wanted, well_known_labels())) {
      return std::nullopt;
    }
    joined.add(wanted);
  }
  return joined;
}

std::optional<PlannedNode> plan_in(const NodePool& pool, const std::vector<PodInfoPtr>& pods,
                                   std::int64_t price_micro_usd, const SolverInput& cluster) {
  const auto joined = join(pool, pods);
  if (!joined) return std::nullopt;
  PlannedNode node;
  for (const PodInfoPtr& pod : pods) node.requests.add(pod->requests);
  std::vector<std::string> types;
  std::string capacity_type;
  for (const Choice& choice : choices(*joined, node.requests, *cluster.catalogue)) {
    if (choice.offering->price_micro_usd >= price_micro_usd) break;
    if (!has_room_for(pool, cluster, choice.type->capacity)) continue;
    if (types.empty()) {
      node.price_micro_usd = choice.offering->price_micro_usd;
      capacity_type = choice.offering->capacity_type;
    }
    // A launch must not fall back on the same type's dearer offering.
    if (choice.offering->capacity_type != capacity_type ||
        std::find(types.begin(), types.end(), choice.type->name) != types.end()) {
      continue;
    }
    types.push_back(choice.type->name);
    if (types.size() == instance_types_max) break;
  }
  if (types.empty()) return std::nullopt;
  node.pool = pool.name;
  node.pods = pods;
  node.instance_type = types.front();
  node.requirements = *joined;
  node.requirements.add(std::string(capacity_type_label), ValueSet::only({capacity_type}));
  node.requirements.add(std::string(instance_type_label), ValueSet::only(std::move(types)));
  return node;
}

}  // namespace

std::optional<PlannedNode> find_replacement(const std::vector<PodInfoPtr>& pods,
                                            std::int64_t price_micro_usd,
                                            const SolverInput& cluster) {
  for (const NodePool& pool : cluster.pools) {
    if (auto node = plan_in(pool, pods, price_micro_usd, cluster)) return node;
  }
  return std::nullopt;
}

bool takes_in(placement::NodeState node, const std::vector<PodInfoPtr>& pods) {
  return std::all_of(pods.begin(), pods.end(), [&node](const PodInfoPtr& pod) {
    placement::PodInfo free = *pod;
    free.node_name.clear();
    if (!placement::fits_quick(free, node) || !may_join(free, node)) return false;
    node.add(pod);
    return true;
  });
}

}  // namespace keelway::provisioner
