// The documents that a kubelet would write, for a node that is only played.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "value/value.h"

namespace keelway::node::hollow {

// What a Machine object says about the node that it becomes.
struct NodeFacts {
  std::string name, provider_id, address, architecture;
  value::Value labels, annotations, taints, capacity, allocatable;
  std::string kubelet_version = "v1.33.5-eks-keelway";
};
NodeFacts read_facts(const value::Value& machine);

value::Value node_object(const NodeFacts& facts, base::WallTime now);
// A merge patch of the status: conditions with a fresh heartbeat. `old` is the Node's status.
value::Value node_status_patch(const value::Value& old, base::WallTime now);
value::Value lease_object(const std::string& node_name, std::string_view node_uid,
                          base::WallTime now);
value::Value lease_patch(base::WallTime now);

}  // namespace keelway::node::hollow
