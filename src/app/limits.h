// Limits by name, as `--limit NAME=VALUE` sets them.
#pragma once

#include <string>
#include <string_view>

#include "app/config.h"
#include "base/error.h"

namespace keelway::app {

base::Result<void> set_limit(Limits& limits, std::string_view assignment);
// "connections=10000 ...": every name with its default.
std::string list_limits();

}  // namespace keelway::app
