#include "scheduler/candidates.h"

#include <algorithm>

#include "placement/fit.h"
#include "scheduler/scoring.h"

namespace keelway::scheduler {

Candidates::Candidates(const placement::PodInfo& pod, placement::Topology& topology,
                       std::vector<std::size_t> nodes, std::size_t placements)
    : seen_(placements) {
  std::sort(nodes.begin(), nodes.end());
  const std::vector<std::int64_t> scores = score(pod, topology, topology.ask(pod), nodes);
  candidates_.reserve(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::int64_t room = resources_score(pod, topology.nodes()[nodes[i]]);
    candidates_.push_back({nodes[i], scores[i] - room, scores[i], true});
  }
}

void Candidates::refresh(const placement::PodInfo& pod, const placement::Topology& topology,
                         const std::vector<std::size_t>& placements) {
  for (; seen_ < placements.size(); ++seen_) {
    const std::size_t node = placements[seen_];
    const auto found = std::lower_bound(
        candidates_.begin(), candidates_.end(), node,
        [](const Candidate& candidate, std::size_t wanted) { return candidate.node < wanted; });
    if (found == candidates_.end() || found->node != node) continue;
    const placement::NodeState& state = topology.nodes()[node];
    found->feasible = placement::fits_quick(pod, state);
    found->score = found->fixed + resources_score(pod, state);
  }
}

std::vector<std::size_t> Candidates::winners() const {
  std::vector<std::size_t> best;
  std::int64_t most = 0;
  for (const Candidate& candidate : candidates_) {
    if (!candidate.feasible) continue;
    if (best.empty() || candidate.score > most) {
      best.clear();
      most = candidate.score;
    } else if (candidate.score < most) {
      continue;
    }
    best.push_back(candidate.node);
  }
  return best;
}

}  // namespace keelway::scheduler
