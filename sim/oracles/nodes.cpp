#include <fmt/core.h>

#include "client/resources.h"
#include "placement/node_state.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

namespace resources = client::resources;

Complaint nodes_are_never_overcommitted(const State& state) {
  for (const auto& object : state.cluster.list(resources::nodes)) {
    const auto node = placement::read_node(object->value());
    placement::ResourceList used;
    for (const auto& pod : state.cluster.pods_on(object->name())) {
      const auto info = placement::read_pod(pod->value());
      if (!info.finished) used.add(info.requests);
    }
    if (!used.fits_in(node.allocatable)) {
      return fmt::format("node {} holds pods that ask for {} mCPU of {}", object->name(),
                         used.milli_cpu, node.allocatable.milli_cpu);
    }
  }
  return std::nullopt;
}

// A pod is bound by name: the scheduler may be late by one deletion of a node, a running pod not.
Complaint pods_run_only_on_nodes_that_were_there(const State& state) {
  for (const auto& pod : state.cluster.list(resources::pods)) {
    const auto document = pod->value();
    const bool runs = document.at("status", "phase").as_string() == "Running";
    if (runs && document.at("spec", "nodeName").as_string().empty()) {
      return fmt::format("pod {} runs and is bound to no node", pod->name());
    }
  }
  return std::nullopt;
}

}  // namespace keelway::sim
