#include <fmt/core.h>

#include <map>

#include "client/resources.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

Complaint pod_addresses_are_unique(const State& state) {
  std::map<std::string, std::string> holders;
  for (const auto& pod : state.cluster.list(client::resources::pods)) {
    const std::string& address = state.facts.pod(pod).address;
    if (address.empty()) continue;
    const auto [held, fresh] = holders.try_emplace(address, pod->name());
    if (!fresh) {
      return fmt::format("pods {} and {} both have address {}", held->second, pod->name(), address);
    }
  }
  return std::nullopt;
}

}  // namespace keelway::sim
