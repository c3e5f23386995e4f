// Limits by name, as `--limit NAME=VALUE` sets them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/error.h"

namespace keelway::app {

base::Result<void> set_limit(Limits& limits, std::string_view assignment);
// Every name with its default: "connections=10000".
std::vector<std::string> list_limits();

}  // namespace keelway::app
