// What users ask for.
#pragma once

#include "sim/shape.h"
#include "value/value.h"

namespace keelway::sim {

value::Value cluster_document();
value::Value deployment_document(const Workload& workload);
// Preferred before the cluster's own, until it has launched so many CPUs.
value::Value limited_pool_document(int cpu);
// An account that may do everything, for users who come over the network.
inline constexpr const char* wire_namespace = "wire";
value::Value named_document(const char* name);
value::Value admin_binding_document();
value::Value token_request_document();

}  // namespace keelway::sim
