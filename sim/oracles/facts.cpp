#include "sim/oracles/facts.h"

#include "placement/node_state.h"

namespace keelway::sim {

PodFacts Facts::read_pod(const client::Object& pod) {
  const value::Value document = pod.value();
  const auto info = placement::read_pod(document);
  PodFacts facts;
  facts.node = document.at("spec", "nodeName").as_string();
  if (!document.at("spec", "hostNetwork").as_bool()) {
    facts.address = document.at("status", "podIP").as_string();
  }
  facts.runs = document.at("status", "phase").as_string() == "Running";
  facts.finished = info.finished;
  facts.requests = info.requests;
  return facts;
}

placement::ResourceList Facts::read_node(const client::Object& node) {
  return placement::read_node(node.value()).allocatable;
}

placement::ResourceList Facts::read_claim(const client::Object& claim) {
  return placement::ResourceList::read(claim.value().at("status", "capacity"));
}

}  // namespace keelway::sim
