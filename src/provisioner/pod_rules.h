// Rules between pods, as far as buying nodes honours them: hard spread and required (anti-)affinity
// over zones, hard spread and required anti-affinity over host names, host ports. Other topology
// keys and required affinity over host names are left to the scheduler.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "placement/node_state.h"

namespace keelway::provisioner {

// Equal text: the same demand on nodes. Only what decides placement is in it.
std::string demand_of(const placement::PodInfo& pod);
// How many pods like this one a node may carry; SIZE_MAX: as many as fit.
std::size_t per_node_max(const placement::PodInfo& pod);
// The pods that are on the node do not keep this one away. Resources are not looked at.
bool may_join(const placement::PodInfo& pod, const placement::NodeState& node);
// The two may not share a node.
bool repel(const placement::PodInfo& a, const placement::PodInfo& b);

// Counts pods by zone for those rules that pending pods have. A count is made from the nodes when
// a rule is first met, then kept by place().
class ZoneCounts {
 public:
  explicit ZoneCounts(const std::vector<placement::NodeState>& nodes) : nodes_(nodes) {}

  static bool has_rules(const placement::PodInfo& pod);
  // Of `zones`, those that the pod's rules allow, fewest pods of its kind first.
  std::vector<std::string> allowed(const placement::PodInfo& pod,
                                   const std::set<std::string>& zones);
  void place(const placement::PodInfo& pod, const std::string& zone);

 private:
  using Counts = std::map<std::string, std::int64_t>;
  struct Rule;
  static std::vector<Rule> rules_of(const placement::PodInfo& pod);
  Counts& counts(const Rule& rule);

  const std::vector<placement::NodeState>& nodes_;
  std::map<std::string, Counts> counts_;  // by the rule's text
};

}  // namespace keelway::provisioner
