// What a new cluster is born with beside what every API server makes of itself.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apiserver/server.h"
#include "app/seams.h"
#include "value/value.h"

namespace keelway::app {

// Roles, priority classes, CRDs.
std::vector<value::Value> cluster_bootstrap(int minor);
// A node class and a general-purpose pool, which users may delete.
std::vector<value::Value> default_pool_objects();

// The first usable address of a service CIDR: "10.100.0.1" of "10.100.0.0/16".
std::string first_service_address(const std::string& service_cidr);

// A line of the log for each mutating call. `executor` is the server's: where the log keeps lines
// back, those of one turn of its loop leave together.
std::function<void(const apiserver::AuditRecord&)> audit_to(const Seams& seams,
                                                            runtime::Executor& executor,
                                                            std::string cluster);

}  // namespace keelway::app
