#include <algorithm>
#include <bit>

#include "controllers/replicaset/replica_set_loop.h"

namespace keelway::controllers {
namespace {

int phase_rank(const std::string& phase) {
  if (phase == "Pending") return 0;
  if (phase == "Unknown") return 1;
  return 2;
}

// Ages count by magnitude, so that deletion does not always hit the youngest of a batch.
int magnitude(base::WallTime since, base::WallTime now) {
  const std::int64_t seconds = std::max<std::int64_t>((now - since).count() / 1'000'000'000, 0);
  return std::bit_width(static_cast<std::uint64_t>(seconds));
}

}  // namespace

void rank_for_deletion(std::vector<Candidate>& candidates, base::WallTime now) {
  const auto goes_first = [now](const Candidate& left, const Candidate& right) {
    const PodState& a = *left.pod;
    const PodState& b = *right.pod;
    if (a.node.empty() != b.node.empty()) return a.node.empty();
    if (phase_rank(a.phase) != phase_rank(b.phase)) {
      return phase_rank(a.phase) < phase_rank(b.phase);
    }
    if (a.ready != b.ready) return !a.ready;
    if (a.deletion_cost != b.deletion_cost) return a.deletion_cost < b.deletion_cost;
    if (left.neighbours != right.neighbours) return left.neighbours > right.neighbours;
    if (a.ready && b.ready) {
      const int age_a = magnitude(a.ready_since, now), age_b = magnitude(b.ready_since, now);
      if (age_a != age_b) return age_a < age_b;
    }
    if (a.restarts != b.restarts) return a.restarts > b.restarts;
    const int age_a = magnitude(a.created, now), age_b = magnitude(b.created, now);
    if (age_a != age_b) return age_a < age_b;
    return a.object->uid() < b.object->uid();
  };
  std::sort(candidates.begin(), candidates.end(), goes_first);
}

}  // namespace keelway::controllers
