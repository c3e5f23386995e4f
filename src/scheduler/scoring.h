// Which of the nodes that would do is best.
#pragma once

#include <cstddef>
#include <vector>

#include "placement/spread.h"

namespace keelway::scheduler {

// How well the pod's requests suit the room of the node: least allocated and balanced allocation.
std::int64_t resources_score(const placement::PodInfo& pod, const placement::NodeState& node);

// Upstream's default plugins and weights: least allocated 1, balanced allocation 1, taints 3, node
// affinity 2, topology spread 2, pod affinity 2. Same order as `feasible`; more is better.
std::vector<std::int64_t> score(const placement::PodInfo& pod, const placement::Topology& topology,
                                const placement::Topology::Question& question,
                                const std::vector<std::size_t>& feasible);

}  // namespace keelway::scheduler
