// Values as Go's fmt prints them with %v, where upstream's messages do so.
#pragma once

#include <string>

#include "value/value.h"

namespace keelway::schema {

// "map[a:1 b:[x y]]", "<nil>", "text".
std::string go_print(const value::Value& v);

}  // namespace keelway::schema
