#include "sim/bisect.h"

#include <algorithm>

namespace keelway::sim {

std::vector<bool> fewest_faults(std::size_t count,
                                const std::function<bool(const std::vector<bool>&)>& fails,
                                int plays_max) {
  std::vector<bool> kept(count, true);
  const std::vector<bool> none(count, false);
  if (count == 0 || plays_max-- <= 0) return kept;
  if (fails(none)) return none;
  // Leaves out half of them, a quarter, and so on to single ones.
  for (std::size_t size = std::max<std::size_t>(1, count / 2);; size /= 2) {
    for (std::size_t from = 0; from < count; from += size) {
      std::vector<bool> fewer = kept;
      for (std::size_t i = from; i < std::min(count, from + size); ++i) fewer[i] = false;
      if (fewer == kept) continue;
      if (plays_max-- <= 0) return kept;
      if (fails(fewer)) kept = std::move(fewer);
    }
    if (size == 1) return kept;
  }
}

}  // namespace keelway::sim
