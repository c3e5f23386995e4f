#include "placement/fit.h"

#include <algorithm>

namespace keelway::placement {
namespace {

const Taint kCordon{"node.kubernetes.io/unschedulable", "", Effect::no_schedule};

bool is_cordoned_for(const PodInfo& pod, const NodeState& node) {
  return node.unschedulable && !tolerates(pod.tolerations, kCordon);
}

bool ports_clash(const PodInfo& pod, const NodeState& node) {
  for (const HostPort& wanted : pod.host_ports) {
    for (const HostPort& taken : node.host_ports) {
      if (wanted.clashes(taken)) return true;
    }
  }
  return false;
}

bool has_room(const ResourceList& requests, const NodeState& node) {
  const auto fits = [](Amount wanted, Amount have, Amount used) {
    return wanted <= 0 || wanted <= have - used;
  };
  const ResourceList& have = node.allocatable;
  const ResourceList& used = node.used;
  if (used.pods + 1 > have.pods) return false;
  if (!fits(requests.milli_cpu, have.milli_cpu, used.milli_cpu) ||
      !fits(requests.memory, have.memory, used.memory) ||
      !fits(requests.ephemeral_storage, have.ephemeral_storage, used.ephemeral_storage)) {
    return false;
  }
  return std::all_of(requests.others().begin(), requests.others().end(), [&](const auto& entry) {
    return fits(entry.second, have.get(entry.first), used.get(entry.first));
  });
}

Misfit insufficient(const PodInfo& pod, const NodeState& node) {
  Misfit misfit;
  if (node.used.pods + 1 > node.allocatable.pods) misfit.reasons.push_back("Too many pods");
  pod.requests.for_each([&](std::string_view name, Amount wanted) {
    if (name == "pods" || wanted <= 0) return;
    const Amount have = node.allocatable.get(name);
    if (wanted <= have - node.used.get(name)) return;
    misfit.reasons.push_back("Insufficient " + std::string(name));
    // More than the whole node has: nobody's eviction makes room.
    if (wanted > have) misfit.unresolvable = true;
  });
  return misfit;
}

}  // namespace

bool fits_kind_of_node(const PodInfo& pod, const NodeState& node) {
  return !is_cordoned_for(pod, node) && find_untolerated(node.taints, pod.tolerations) == nullptr &&
         pod.node_affinity->allows(node.labels, node.name);
}

bool fits_quick(const PodInfo& pod, const NodeState& node) {
  if (!pod.node_name.empty() && pod.node_name != node.name) return false;
  return has_room(pod.requests, node) && fits_kind_of_node(pod, node) && !ports_clash(pod, node);
}

Misfit fits(const PodInfo& pod, const NodeState& node) {
  if (is_cordoned_for(pod, node)) return {{"node(s) were unschedulable"}, true};
  if (!pod.node_name.empty() && pod.node_name != node.name) {
    return {{"node(s) didn't match the requested node name"}, true};
  }
  if (const Taint* taint = find_untolerated(node.taints, pod.tolerations)) {
    return {{"node(s) had untolerated taint {" + taint->key + ": " + taint->value + "}"}, true};
  }
  if (!pod.node_affinity->allows(node.labels, node.name)) {
    return {{"node(s) didn't match Pod's node affinity/selector"}, true};
  }
  if (ports_clash(pod, node)) {
    return {{"node(s) didn't have free ports for the requested pod ports"}, false};
  }
  if (has_room(pod.requests, node)) return {};
  return insufficient(pod, node);
}

void MisfitSummary::add(const Misfit& misfit) {
  for (const std::string& reason : misfit.reasons) ++counts_[reason];
  ++(misfit.unresolvable ? unresolvable_ : resolvable_);
}

std::string MisfitSummary::message(std::size_t nodes) const {
  if (nodes == 0) return "no nodes available to schedule pods";
  std::vector<std::string> parts;
  for (const auto& [reason, count] : counts_) {
    parts.push_back(std::to_string(count) + " " + reason);
  }
  // Upstream sorts the finished texts, counts included.
  std::sort(parts.begin(), parts.end());
  const std::string head = "0/" + std::to_string(nodes) + " nodes are available: ";
  std::string text = head;
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i > 0 ? ", " : "") + parts[i];
  text += ". preemption: " + head;
  if (resolvable_ > 0) {
    text += std::to_string(resolvable_) + " No preemption victims found for incoming pod";
  }
  if (unresolvable_ > 0) {
    if (resolvable_ > 0) text += ", ";
    text += std::to_string(unresolvable_) + " Preemption is not helpful for scheduling";
  }
  return text + ".";
}

}  // namespace keelway::placement
