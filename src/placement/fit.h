// Could this pod run on this node? The reasons are upstream's, because people and tools read
// them in the PodScheduled condition.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "placement/node_state.h"

namespace keelway::placement {

struct Misfit {
  std::vector<std::string> reasons;  // empty: it fits
  // Evicting other pods could not help.
  bool unresolvable = false;
  bool fits() const { return reasons.empty(); }
};

// Cordon, node name, taints, node affinity, host ports, resources, in upstream's order; the first
// that fails answers. Spread and pod affinity need all nodes: spread.h.
Misfit fits(const PodInfo& pod, const NodeState& node);
// The same without building reasons.
bool fits_quick(const PodInfo& pod, const NodeState& node);
// What asks only for the kind of node: cordon, taints, node affinity.
bool fits_kind_of_node(const PodInfo& pod, const NodeState& node);

// Counts reasons over nodes: "0/5 nodes are available: 2 Insufficient cpu, 3 node(s) ...."
class MisfitSummary {
 public:
  void add(const Misfit& misfit);
  std::string message(std::size_t nodes) const;

 private:
  std::map<std::string, int> counts_;
  int unresolvable_ = 0, resolvable_ = 0;
};

}  // namespace keelway::placement
