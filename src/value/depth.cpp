#include "value/depth.h"

#include <algorithm>

namespace keelway::value {

std::size_t depth_of(const Value& v, std::size_t most) {
  if (!v.is_object() && !v.is_array()) return 0;
  if (most == 0) return 1;
  std::size_t below = 0;
  if (v.is_object()) {
    for (const auto& [name, member] : v.members()) {
      below = std::max(below, depth_of(member, most - 1));
    }
  } else {
    for (const Value& item : v.items()) below = std::max(below, depth_of(item, most - 1));
  }
  return below + 1;
}

}  // namespace keelway::value
