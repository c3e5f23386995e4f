#include <fmt/core.h>

#include <map>

#include "client/resources.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

namespace resources = client::resources;

// A node's port has one owner, and no pod is put where one is that it keeps apart from: whatever
// the scheduler had heard when it bound the second of them. Pods on their way out still count.
Complaint pods_keep_apart(const State& state) {
  for (const auto& node : state.cluster.list(resources::nodes)) {
    std::map<std::string, std::string> owners;  // by port
    std::map<std::string, std::string> apps;    // a pod of each that was met
    for (const auto& pod : state.cluster.pods_on(node->name())) {
      const PodFacts& facts = state.facts.pod(pod);
      if (facts.finished) continue;
      for (const std::string& port : facts.host_ports) {
        const auto [owner, fresh] = owners.try_emplace(port, pod->name());
        if (fresh) continue;
        return fmt::format("pods {} and {} both have port {} of node {}", owner->second,
                           pod->name(), port, node->name());
      }
      const auto [met, first] = apps.try_emplace(facts.app, pod->name());
      if (first || facts.apart_from != facts.app) continue;
      return fmt::format("pods {} and {} keep apart and are both on node {}", met->second,
                         pod->name(), node->name());
    }
  }
  return std::nullopt;
}

}  // namespace keelway::sim
