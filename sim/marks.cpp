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
      "apiserver.eviction_refused",
      "apiserver.fence_refused",
      "apiserver.refusal_judged_anew",
      "apiserver.too_many_requests",
      "apiserver.watch_stops_listening",
      "fleet.lease_not_renewed",
      "fleet.registration_ended",
      "fleet.server_missed",
      "provisioner.launch_given_up",
      "provisioner.next_offering",
      "reconcile.batch_call_lost",
      "reconcile.call_lost",
      "sim.cloud_launch_lost",
      "sim.cloud_sold_out",
      "sim.cloud_throttled",
      "sim.compacted",
      "sim.node_hangs",
      "sim.store_cut",
      "sim.store_write_late",
      "watch.history_compacted",
      "watch.read_anew",
      "watch.resumed_too_late",
  };
  return marks;
}

}  // namespace keelway::sim
