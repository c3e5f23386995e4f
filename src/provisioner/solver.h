// What to buy for pods that wait: pure arithmetic from pods, pools, nodes and prices to planned
// nodes.
//
// Pods that ask for the same are one group. Groups go to the first pool (by weight) that suits
// them; within a pool nodes are bought one kind at a time, each time the type whose price is
// lowest for what it takes in (first fit, largest pods first), as often as it can be filled the
// same way. That is a greedy cover: it is cheap where prices are in proportion to size, and
// carries no bound.
#pragma once

#include <string>
#include <vector>

#include "cloud/cloud.h"
#include "placement/node_state.h"
#include "provisioner/node_pool.h"
#include "provisioner/offers.h"

namespace keelway::provisioner {

struct PlannedNode {
  std::string pool;
  placement::Requirements requirements;  // of the claim, instance types included
  placement::ResourceList requests;      // of the pods
  std::vector<placement::PodInfoPtr> pods;
  std::string instance_type;  // the cheapest of the allowed ones
  std::int64_t price_micro_usd = 0;
};

struct SolverInput {
  std::vector<placement::PodInfoPtr> pending;
  std::vector<placement::NodeState> nodes;  // there and on their way, with their pods
  std::vector<NodePool> pools;              // in the order to try
  // What each pool has already, by its name.
  std::map<std::string, placement::ResourceList> used;
  std::map<std::string, std::int64_t> node_counts;
  const cloud::Catalogue* catalogue = nullptr;
};

// One more node of this capacity is within the pool's limits. Only what they name is limited.
bool has_room_for(const NodePool& pool, const SolverInput& cluster,
                  const placement::ResourceList& capacity);

struct Solution {
  std::vector<PlannedNode> nodes;
  // Pods that nothing suits, with the reason.
  std::vector<std::pair<placement::PodInfoPtr, std::string>> impossible;
};

// Instance types that a claim may be launched as, cheapest first.
inline constexpr std::size_t instance_types_max = 60;

Solution solve(const SolverInput& input);

}  // namespace keelway::provisioner
