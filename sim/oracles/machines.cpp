#include <fmt/core.h>

#include <set>

#include "client/resources.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

namespace resources = client::resources;

Complaint every_machine_has_a_claim(const State& state) {
  std::set<std::string> tokens;
  for (const auto& claim : state.cluster.list(resources::node_claims)) tokens.insert(claim->uid());
  for (const auto& machine : state.hub.list(resources::machines)) {
    const std::string token = machine->value().at("spec", "token").as_string();
    if (!tokens.contains(token)) {
      return fmt::format("machine {} was launched for claim {}, which is gone", machine->name(),
                         machine->value().at("spec", "claimName").as_string());
    }
  }
  return std::nullopt;
}

Complaint every_claim_has_a_machine(const State& state) {
  std::set<std::string> tokens;
  for (const auto& machine : state.hub.list(resources::machines)) {
    tokens.insert(machine->value().at("spec", "token").as_string());
  }
  for (const auto& claim : state.cluster.list(resources::node_claims)) {
    if (!tokens.contains(claim->uid())) {
      return fmt::format("claim {} has no machine", claim->name());
    }
  }
  return std::nullopt;
}

}  // namespace keelway::sim
