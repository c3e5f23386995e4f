// How deep a document nests. What is read, written and freed level by level must have a bound.
#pragma once

#include <cstddef>

#include "value/value.h"

namespace keelway::value {

// Levels of objects and arrays: 0 for a scalar, 1 for {}. Counts to `most` + 1 and no further.
std::size_t depth_of(const Value& v, std::size_t most);

}  // namespace keelway::value
