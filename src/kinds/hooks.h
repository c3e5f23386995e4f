// The hooks of a built-in kind: those of kinds/hooks joined with the printer.
#pragma once

#include <string_view>

#include "schema/kind.h"

namespace keelway::kinds {

// Members may be null. `api_version`: "v1", "apps/v1".
schema::Hooks hooks_of(std::string_view api_version, std::string_view kind);

}  // namespace keelway::kinds
