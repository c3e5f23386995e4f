// The life of Update objects: a change of a cluster is in progress for a while, and the cluster
// UPDATING with it.
#pragma once

#include <memory>

#include "fleet/ownership.h"
#include "reconcile/loop.h"

namespace keelway::fleet {

// Finished updates of a cluster that are kept; the oldest go first.
inline constexpr std::size_t finished_updates_max = 100;

// Whoever changes a cluster writes an Update (label resources::cluster_label, spec.createdAt in
// seconds) and leaves its status alone. This loop sets status.status: InProgress until
// `update_delay` after its creation (and, of a VersionUpdate, until every server serves it), then
// Successful; a status that somebody else ended (Failed, Cancelled) stays. Only the server that the
// cluster names does so. The Cluster is UPDATING while one is in progress, and ACTIVE before the
// last is Successful.
std::unique_ptr<reconcile::KeyedLoop> make_update_loop(base::Duration update_delay, Self self = {});

}  // namespace keelway::fleet
