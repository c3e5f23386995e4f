#include <fmt/core.h>

#include <map>

#include "client/resources.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

Complaint pod_addresses_are_unique(const State& state) {
  std::map<std::string, std::string> holders;
  for (const auto& pod : state.cluster.list(client::resources::pods)) {
    const auto document = pod->value();
    const std::string address = document.at("status", "podIP").as_string();
    if (address.empty() || document.at("spec", "hostNetwork").as_bool()) continue;
    const auto [held, fresh] = holders.try_emplace(address, pod->name());
    if (!fresh) {
      return fmt::format("pods {} and {} both have address {}", held->second, pod->name(), address);
    }
  }
  return std::nullopt;
}

}  // namespace keelway::sim
