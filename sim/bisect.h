// Finds the fewest faults that still let a seed fail.
#pragma once

#include <functional>
#include <vector>

namespace keelway::sim {

// `fails` plays the seed with the faults that are true; it failed with all `count` of them. At most
// `plays_max` plays.
std::vector<bool> fewest_faults(std::size_t count,
                                const std::function<bool(const std::vector<bool>&)>& fails,
                                int plays_max = 40);

}  // namespace keelway::sim
