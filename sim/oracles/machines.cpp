#include <fmt/core.h>

#include <map>
#include <set>

#include "client/resources.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

namespace resources = client::resources;

Complaint no_claim_has_two_machines(const State& state) {
  std::map<std::string, std::string> machines;
  for (const auto& machine : state.hub.list(resources::machines)) {
    const std::string claim = machine->value().at("spec", "claimName").as_string();
    const auto [other, fresh] = machines.try_emplace(claim, machine->name());
    if (!fresh) {
      return fmt::format("claim {} has machines {} and {}", claim, other->second, machine->name());
    }
  }
  return std::nullopt;
}

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
