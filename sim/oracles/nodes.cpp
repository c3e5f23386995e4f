#include <fmt/core.h>

#include "client/resources.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

namespace resources = client::resources;

Complaint nodes_are_never_overcommitted(const State& state) {
  for (const auto& object : state.cluster.list(resources::nodes)) {
    const placement::ResourceList& room = state.facts.allocatable(object);
    placement::ResourceList used;
    for (const auto& pod : state.cluster.pods_on(object->name())) {
      const PodFacts& facts = state.facts.pod(pod);
      if (!facts.finished) used.add(facts.requests);
    }
    if (!used.fits_in(room)) {
      return fmt::format("node {} holds pods that ask for {} mCPU of {}", object->name(),
                         used.milli_cpu, room.milli_cpu);
    }
  }
  return std::nullopt;
}

// A pod is bound by name: the scheduler may be late by one deletion of a node, a running pod not.
Complaint pods_run_only_on_nodes_that_were_there(const State& state) {
  for (const auto& node : state.cluster.list(resources::nodes)) {
    state.facts.saw_node(node->name());
  }
  for (const auto& pod : state.cluster.list(resources::pods)) {
    const PodFacts& facts = state.facts.pod(pod);
    if (facts.runs && !state.facts.was_node(facts.node)) {
      return fmt::format("pod {} runs on '{}', which was never a node", pod->name(), facts.node);
    }
  }
  return std::nullopt;
}

}  // namespace keelway::sim
