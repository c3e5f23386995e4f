// What a plain YAML 1.1 scalar means.
#pragma once

#include <string_view>

#include "value/value.h"

namespace keelway::value {

// "yes" is true, "0x1f" and "017" are integers, "~" is null; what is nothing else is a string.
Value resolve_yaml_scalar(std::string_view text);

}  // namespace keelway::value
