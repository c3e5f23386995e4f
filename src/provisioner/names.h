// The names of Karpenter's API that the provisioner reads and writes.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "value/value.h"

namespace keelway::provisioner {

inline constexpr std::string_view pool_label = "karpenter.sh/nodepool";
inline constexpr std::string_view capacity_type_label = "karpenter.sh/capacity-type";
inline constexpr std::string_view registered_label = "karpenter.sh/registered";
inline constexpr std::string_view initialized_label = "karpenter.sh/initialized";
inline constexpr std::string_view instance_type_label = "node.kubernetes.io/instance-type";
inline constexpr std::string_view zone_label = "topology.kubernetes.io/zone";
inline constexpr std::string_view hostname_label = "kubernetes.io/hostname";
inline constexpr std::string_view unregistered_taint = "karpenter.sh/unregistered";
inline constexpr std::string_view disrupted_taint = "karpenter.sh/disrupted";
inline constexpr std::string_view termination_finalizer = "karpenter.sh/termination";
inline constexpr std::string_view do_not_disrupt = "karpenter.sh/do-not-disrupt";
inline constexpr std::string_view cost_annotation = "cost.keelway.dev/usd-per-hour";
// On a NodeClaim: the name of the claim that it takes over from once its node is initialized.
inline constexpr std::string_view replaces_annotation = "disruption.keelway.dev/replaces";

inline bool asks_not_to_be_disrupted(const value::Value& object) {
  return object.at("metadata", "annotations", do_not_disrupt).as_string() == "true";
}

// Keys that a node has although its pool does not name them: a pod may ask for them.
const std::set<std::string, std::less<>>& well_known_labels();

}  // namespace keelway::provisioner
