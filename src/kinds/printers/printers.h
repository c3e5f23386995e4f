// Cells of the Table form of built-in kinds, in the order of the columns of their YAML.
#pragma once

#include <string_view>

#include "schema/kind.h"

namespace keelway::kinds {

using Print = value::Array (*)(const schema::Kind&, const value::Value& object, base::WallTime now);

// Null where a kind has no columns. `api_version`: "v1", "apps/v1".
Print print_of(std::string_view api_version, std::string_view kind);

value::Array print_pod(const schema::Kind&, const value::Value& pod, base::WallTime now);
value::Array print_node(const schema::Kind&, const value::Value& node, base::WallTime now);
value::Array print_service(const schema::Kind&, const value::Value& service, base::WallTime now);
value::Array print_endpoints(const schema::Kind&, const value::Value& endpoints,
                             base::WallTime now);
value::Array print_event(const schema::Kind&, const value::Value& event, base::WallTime now);
// For events of events.k8s.io.
value::Array print_regarding_event(const schema::Kind&, const value::Value& event,
                                   base::WallTime now);

}  // namespace keelway::kinds
