// ReplicaSets: as many pods as asked for, adopted, made or removed.
#pragma once

#include <memory>
#include <vector>

#include "controllers/pod_state.h"
#include "reconcile/loop.h"

namespace keelway::controllers {

std::unique_ptr<reconcile::KeyedLoop> make_replica_set_loop();

// The pods to delete first come first: upstream's ranking. `neighbours`: for each pod, how many
// pods of the same family share its node.
struct Candidate {
  const PodState* pod = nullptr;
  int neighbours = 0;
};
void rank_for_deletion(std::vector<Candidate>& candidates, base::WallTime now);

}  // namespace keelway::controllers
