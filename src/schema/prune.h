// Drops what a kind's structure does not name (custom resources: structural pruning).
#pragma once

#include <string>
#include <vector>

#include "schema/kind.h"
#include "value/value.h"

namespace keelway::schema {

// Removes unknown members of `object`; apiVersion, kind and metadata of the root stay. The paths
// of what was dropped ("spec.foo", "spec.list[0].bar") are appended to *dropped where given.
void prune(const Kind& kind, value::Value& object, std::vector<std::string>* dropped = nullptr);

}  // namespace keelway::schema
