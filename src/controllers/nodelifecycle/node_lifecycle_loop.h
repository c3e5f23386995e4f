// Nodes that fall silent, the taints that say so, the pods that must leave, and the pods of nodes
// that are gone.
#pragma once

#include <memory>

#include "base/time.h"
#include "reconcile/loop.h"

namespace keelway::controllers {

struct NodeLifecycleOptions {
  base::Duration grace = std::chrono::seconds(50);          // of a node that has reported
  base::Duration startup_grace = std::chrono::seconds(60);  // of one that never did
};

// Conditions and taints.
std::unique_ptr<reconcile::KeyedLoop> make_node_lifecycle_loop(NodeLifecycleOptions options = {});
// Deletes pods that do not tolerate (or no longer tolerate) a NoExecute taint.
std::unique_ptr<reconcile::KeyedLoop> make_taint_eviction_loop();
// Deletes pods that are bound to a node that does not exist, and of those that have finished the
// oldest above a number.
constexpr std::size_t finished_pods_max = 12'500;
std::unique_ptr<reconcile::KeyedLoop> make_pod_collection_loop(
    std::size_t finished_max = finished_pods_max);

}  // namespace keelway::controllers
