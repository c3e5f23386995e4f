// Cells of the Table form of built-in kinds, in the order of the columns of their YAML.
#pragma once

#include <string_view>

#include "schema/kind.h"

namespace keelway::kinds {

using Print = value::Array (*)(const schema::Kind&, const value::Value& object,
                               base::WallTime now);

// Null where a kind has none. `api_version`: "v1", "apps/v1".
Print print_of(std::string_view api_version, std::string_view kind);

}  // namespace keelway::kinds
