#include "placement/node_state.h"

#include <algorithm>
#include <optional>

namespace keelway::placement {
namespace {

base::WallTime read_created(const value::Value& document) {
  return base::parse_rfc3339(document.at("metadata", "creationTimestamp").as_string())
      .value_or(base::WallTime{});
}

void read_host_ports(const value::Value& containers, bool sidecars_only,
                     std::vector<HostPort>& ports) {
  for (const value::Value& container : containers.items()) {
    if (sidecars_only && container["restartPolicy"].as_string() != "Always") continue;
    for (const value::Value& item : container["ports"].items()) {
      const int port = static_cast<int>(item["hostPort"].as_int());
      if (port <= 0) continue;
      ports.push_back({std::string(item["hostIP"].string_or("0.0.0.0")),
                       std::string(item["protocol"].string_or("TCP")), port});
      if (ports.back().ip.empty()) ports.back().ip = "0.0.0.0";
    }
  }
}

std::vector<SpreadConstraint> read_spread(const value::Value& pod) {
  std::vector<SpreadConstraint> constraints;
  for (const value::Value& item : pod.at("spec", "topologySpreadConstraints").items()) {
    SpreadConstraint constraint;
    constraint.topology_key = item["topologyKey"].as_string();
    constraint.max_skew = static_cast<int>(item["maxSkew"].as_int(1));
    constraint.min_domains = static_cast<int>(item["minDomains"].as_int(1));
    constraint.hard = item["whenUnsatisfiable"].as_string() != "ScheduleAnyway";
    constraint.honor_affinity = item["nodeAffinityPolicy"].as_string() != "Ignore";
    constraint.honor_taints = item["nodeTaintsPolicy"].as_string() == "Honor";
    constraint.selector = read_selector(item["labelSelector"]);
    const value::Value& labels = pod.at("metadata", "labels");
    for (const value::Value& key : item["matchLabelKeys"].items()) {
      const value::Value* text = labels.find(key.as_string());
      if (text == nullptr) continue;
      constraint.selector.add(
          {key.as_string(), Requirement::Operator::in, {text->as_string()}, true});
    }
    constraints.push_back(std::move(constraint));
  }
  return constraints;
}

}  // namespace

bool HostPort::clashes(const HostPort& other) const {
  if (port != other.port || protocol != other.protocol) return false;
  return ip == other.ip || ip == "0.0.0.0" || other.ip == "0.0.0.0";
}

PodInfo read_pod(const value::Value& pod) {
  const value::Value& metadata = pod["metadata"];
  const value::Value& spec = pod["spec"];
  PodInfo info;
  info.name_space = metadata["namespace"].as_string();
  info.name = metadata["name"].as_string();
  info.uid = metadata["uid"].as_string();
  info.node_name = spec["nodeName"].as_string();
  info.scheduler = spec["schedulerName"].string_or("default-scheduler");
  info.labels = Labels::read(metadata["labels"]);
  info.requests = pod_requests(pod);
  info.tolerations = read_tolerations(spec["tolerations"]);
  info.node_affinity = read_node_affinity(spec);
  read_host_ports(spec["containers"], false, info.host_ports);
  read_host_ports(spec["initContainers"], true, info.host_ports);
  info.spread = read_spread(pod);
  info.affinity = read_pod_affinity(pod, "podAffinity");
  info.anti_affinity = read_pod_affinity(pod, "podAntiAffinity");
  info.priority = spec["priority"].as_int();
  info.created = read_created(pod);
  info.deleting = !metadata["deletionTimestamp"].is_null();
  const std::string& phase = pod.at("status", "phase").as_string();
  info.finished = phase == "Succeeded" || phase == "Failed";
  info.gated = !spec["schedulingGates"].empty();
  info.never_preempts = spec["preemptionPolicy"].as_string() == "Never";
  for (const value::Value& owner : metadata["ownerReferences"].items()) {
    if (owner["controller"].as_bool() && owner["kind"].as_string() == "DaemonSet") {
      info.of_daemon_set = true;
    }
  }
  return info;
}

void NodeState::add(PodInfoPtr pod) {
  used.add(pod->requests);
  host_ports.insert(host_ports.end(), pod->host_ports.begin(), pod->host_ports.end());
  pods.push_back(std::move(pod));
}

bool NodeState::remove(std::string_view uid_of_pod) {
  const auto found = std::find_if(pods.begin(), pods.end(),
                                  [&](const PodInfoPtr& pod) { return pod->uid == uid_of_pod; });
  if (found == pods.end()) return false;
  used.subtract((*found)->requests);
  pods.erase(found);
  host_ports.clear();
  for (const PodInfoPtr& pod : pods) {
    host_ports.insert(host_ports.end(), pod->host_ports.begin(), pod->host_ports.end());
  }
  return true;
}

ResourceList NodeState::free() const {
  ResourceList rest = allocatable;
  rest.subtract(used);
  return rest;
}

NodeState read_node(const value::Value& node) {
  const value::Value& metadata = node["metadata"];
  const value::Value& spec = node["spec"];
  const value::Value& status = node["status"];
  NodeState state;
  state.name = metadata["name"].as_string();
  state.uid = metadata["uid"].as_string();
  state.provider_id = spec["providerID"].as_string();
  state.labels = Labels::read(metadata["labels"]);
  state.taints = read_taints(spec["taints"]);
  state.unschedulable = spec["unschedulable"].as_bool();
  state.deleting = !metadata["deletionTimestamp"].is_null();
  state.created = read_created(node);
  for (const value::Value& condition : status["conditions"].items()) {
    if (condition["type"].as_string() == "Ready") {
      state.ready = condition["status"].as_string() == "True";
    }
  }
  state.capacity = ResourceList::read(status["capacity"]);
  state.allocatable =
      status.contains("allocatable") ? ResourceList::read(status["allocatable"]) : state.capacity;
  return state;
}

}  // namespace keelway::placement
