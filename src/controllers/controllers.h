// Every controller of a cluster, for one manager.
#pragma once

#include <string>
#include <vector>

#include "controllers/nodelifecycle/node_lifecycle_loop.h"
#include "reconcile/loop.h"

namespace keelway::controllers {

struct Options {
  // The cluster's CA, published in each namespace; empty: not published (on the hub).
  std::string ca_pem;
  // Every stored resource that is served, built-in ones; custom ones are found in the view.
  // Collection works over these.
  std::vector<client::Resource> resources;
  NodeLifecycleOptions nodes;
};

void add_all(reconcile::Manager& manager, const Options& options);

}  // namespace keelway::controllers
