#include <fmt/core.h>

#include <map>

#include "client/resources.h"
#include "placement/resources.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

namespace resources = client::resources;

// What has been launched for a pool is within its limits, all the time.
Complaint pools_stay_within_limits(const State& state) {
  std::map<std::string, placement::ResourceList> launched;
  for (const auto& claim : state.cluster.list(resources::node_claims)) {
    launched[std::string(claim->label("karpenter.sh/nodepool"))].add(state.facts.capacity(claim));
  }
  for (const auto& pool : state.cluster.list(resources::node_pools)) {
    const value::Value limits = pool->value().at("spec", "limits");
    const auto most = placement::ResourceList::read(limits);
    for (const auto& [name, amount] : limits.members()) {
      const auto has = launched[std::string(pool->name())].get(name);
      if (has <= most.get(name)) continue;
      return fmt::format("pool {} has launched {} of {}, its limit is {}", pool->name(), has, name,
                         most.get(name));
    }
  }
  return std::nullopt;
}

}  // namespace keelway::sim
