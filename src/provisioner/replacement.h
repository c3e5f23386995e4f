// One cheaper node for the pods of a node that is too dear for them: Karpenter's single node
// consolidation, as far as it buys.
#pragma once

#include <optional>
#include <vector>

#include "provisioner/cluster_state.h"
#include "provisioner/solver.h"

namespace keelway::provisioner {

// The first pool that may take in all the pods on one node for less than `price_micro_usd` an hour,
// whichever of the planned types is launched. The pods come from one node, so they bear each other;
// rules that reach beyond a node are not looked at. Of `cluster` the pools, what they use and the
// catalogue count.
std::optional<PlannedNode> find_replacement(const std::vector<placement::PodInfoPtr>& pods,
                                            std::int64_t price_micro_usd,
                                            const SolverInput& cluster);

// The node takes in all of the pods.
bool takes_in(placement::NodeState node, const std::vector<placement::PodInfoPtr>& pods);

}  // namespace keelway::provisioner
