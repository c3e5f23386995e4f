// The life of a cluster as the hub sees it: brought up while its object stands, taken down with
// everything that it owned when the object is deleted. Every server serves every cluster; the one
// that the object names also writes its status and runs its loops.
#pragma once

#include <memory>
#include <vector>

#include "fleet/ownership.h"
#include "reconcile/loop.h"

namespace keelway::fleet {

struct ClusterLoopOptions {
  // How long a cluster stays CREATING after its creation.
  base::Duration create_delay{0};
  Self self = {};
  // Clusters that run in this process already: those whose objects have gone are halted.
  std::vector<reconcile::Key> known = {};
};

// Effects: "run", "halt" (stop it) and "discard" (its data and keys), arguments {namespace, name};
// of "run" also {uid, version, own, epoch}: `own` leads its loops and tells the hub.
std::unique_ptr<reconcile::KeyedLoop> make_cluster_loop(ClusterLoopOptions options = {});

}  // namespace keelway::fleet
