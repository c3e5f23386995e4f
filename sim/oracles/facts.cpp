#include "sim/oracles/facts.h"

#include "placement/node_state.h"

namespace keelway::sim {

namespace {

// Read here, not by what the scheduler reads them with.
void read_ports(const value::Value& pod, PodFacts& facts) {
  const value::Value containers = pod.at("spec", "containers");
  for (const value::Value& container : containers.items()) {
    const value::Value& ports = container["ports"];
    for (const value::Value& port : ports.items()) {
      if (port["hostPort"].as_int() == 0) continue;
      const std::string& protocol = port["protocol"].as_string();
      facts.host_ports.push_back(std::to_string(port["hostPort"].as_int()) + "/" +
                                 (protocol.empty() ? "TCP" : protocol));
    }
  }
}

void read_apart(const value::Value& pod, PodFacts& facts) {
  const value::Value terms = pod.at("spec", "affinity", "podAntiAffinity",
                                    "requiredDuringSchedulingIgnoredDuringExecution");
  for (const value::Value& term : terms.items()) {
    if (term["topologyKey"].as_string() != "kubernetes.io/hostname") continue;
    facts.apart_from = term.at("labelSelector", "matchLabels", "app").as_string();
  }
}

}  // namespace

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
  facts.app = document.at("metadata", "labels", "app").as_string();
  read_ports(document, facts);
  read_apart(document, facts);
  return facts;
}

placement::ResourceList Facts::read_node(const client::Object& node) {
  return placement::read_node(node.value()).allocatable;
}

placement::ResourceList Facts::read_claim(const client::Object& claim) {
  return placement::ResourceList::read(claim.value().at("status", "capacity"));
}

}  // namespace keelway::sim
