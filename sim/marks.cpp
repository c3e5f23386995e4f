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
      "sim.bookmark",
      "sim.cloud_launch_lost",
      "sim.cloud_sold_out",
      "sim.cloud_throttled",
      "sim.compacted",
      "sim.counter_conflict",
      "sim.dead_token_refused",
      "sim.disk_repaired",
      "sim.eks_answered",
      "sim.evicted",
      "sim.eviction_refused",
      "sim.guest_forbidden",
      "sim.node_hangs",
      "sim.owned_collected",
      "sim.store_answer_lost",
      "sim.store_cut",
      "sim.store_leaderless",
      "sim.store_watch_resumed",
      "sim.store_write_late",
      "sim.watcher_expired",
      "watch.history_compacted",
      "watch.read_anew",
      "watch.resumed_too_late",
  };
  return marks;
}

}  // namespace keelway::sim
