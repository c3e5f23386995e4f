// Pods and nodes as placement sees them: read once from their documents, then only compared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "placement/affinity.h"
#include "placement/rare.h"
#include "placement/resources.h"
#include "placement/taints.h"

namespace keelway::placement {

struct HostPort {
  std::string ip = "0.0.0.0", protocol = "TCP";
  int port = 0;
  bool clashes(const HostPort& other) const;
};

struct SpreadConstraint {
  std::string topology_key;
  int max_skew = 1;
  int min_domains = 1;
  bool hard = true;  // DoNotSchedule; else ScheduleAnyway
  bool honor_affinity = true;
  bool honor_taints = false;
  LabelSelector selector;  // matchLabelKeys are in it
};

struct PodInfo {
  std::string name_space, name, uid, node_name, scheduler;
  Labels labels;
  ResourceList requests;
  std::vector<Toleration> tolerations;
  Rare<NodeAffinity> node_affinity;
  std::vector<HostPort> host_ports;
  std::vector<SpreadConstraint> spread;
  Rare<PodAffinity> affinity, anti_affinity;
  std::int64_t priority = 0;
  base::WallTime created;
  bool deleting = false;
  bool finished = false;  // Succeeded or Failed: takes no room
  bool gated = false;     // has schedulingGates
  bool never_preempts = false;
  bool of_daemon_set = false;
};
using PodInfoPtr = std::shared_ptr<const PodInfo>;
PodInfo read_pod(const value::Value& pod);

struct NodeState {
  std::string name, uid, provider_id;
  Labels labels;
  std::vector<Taint> taints;
  bool unschedulable = false;
  bool deleting = false;
  bool ready = false;  // condition Ready is True
  base::WallTime created;
  ResourceList capacity, allocatable;
  // Kept by add and remove.
  ResourceList used;
  std::vector<PodInfoPtr> pods;
  std::vector<HostPort> host_ports;

  void add(PodInfoPtr pod);
  bool remove(std::string_view uid);  // false: it was not here
  ResourceList free() const;
};
NodeState read_node(const value::Value& node);  // without pods

}  // namespace keelway::placement
