// The nodes that would do for pods that are alike, kept while one plan places them: a placement
// changes one node, and only that one is looked at again. For pods that no rule between pods
// concerns and that prefer no node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "placement/spread.h"

namespace keelway::scheduler {

class Candidates {
 public:
  // `nodes` are feasible for the pod.
  Candidates(const placement::PodInfo& pod, placement::Topology& topology,
             std::vector<std::size_t> nodes, std::size_t placements);
  // Looks again at the nodes that were placed on since the last time.
  void refresh(const placement::PodInfo& pod, const placement::Topology& topology,
               const std::vector<std::size_t>& placements);
  // The best ones, in index order; none where nothing is left.
  std::vector<std::size_t> winners() const;

 private:
  struct Candidate {
    std::size_t node = 0;
    std::int64_t fixed = 0;  // the part of the score that placements do not change
    std::int64_t score = 0;
    bool feasible = true;
  };
  std::vector<Candidate> candidates_;  // by node
  std::size_t seen_ = 0;               // of the placements
};

}  // namespace keelway::scheduler
