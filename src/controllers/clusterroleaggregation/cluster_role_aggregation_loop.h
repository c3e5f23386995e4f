// The rules of aggregated cluster roles: those of the roles that they select.
#pragma once

#include <memory>

#include "reconcile/loop.h"

namespace keelway::controllers {

// Keeps `rules` of every ClusterRole with an aggregationRule equal to what its selectors find,
// selector by selector, roles by name, each rule once. Rules that somebody else wrote there go.
std::unique_ptr<reconcile::KeyedLoop> make_cluster_role_aggregation_loop();

}  // namespace keelway::controllers
