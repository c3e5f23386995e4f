#include "sim/marks.h"

#include "base/encoding.h"

namespace keelway::sim {

bool MarkBook::sometimes(std::string_view site) {
  auto found = alive_.find(site);
  if (found == alive_.end()) {
    const bool alive = base::Random(seed_ ^ base::hash64(site)).chance(0.25);
    found = alive_.emplace(std::string(site), alive).first;
  }
  if (!found->second || !random_.chance(0.25)) return false;
  reached(site);
  return true;
}

const std::vector<std::string>& expected_marks() {
  static const std::vector<std::string> marks = {
      "sim.cloud_launch_lost", "sim.cloud_sold_out", "sim.cloud_throttled",
      "sim.compacted",         "sim.node_hangs",     "sim.witness_expired",
  };
  return marks;
}

}  // namespace keelway::sim
