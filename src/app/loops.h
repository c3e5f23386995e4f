// Every loop of one cluster, on one executor over one shared view.
#pragma once

#include <memory>

#include "app/config.h"
#include "app/connections.h"
#include "app/seams.h"
#include "cloud/cloud.h"
#include "fleet/control_plane.h"
#include "schema/kind.h"
#include "telemetry/log.h"

namespace keelway::app {

struct LoopParts {
  runtime::Runtime& runtime;
  runtime::Executor& executor;
  Connections& connections;
  const fleet::ControlPlaneSpec& cluster;
  apiserver::FencePtr cluster_fence, hub_fence;  // of what the loops write; null: none
  schema::KindSetPtr kinds;
  cloud::CataloguePtr catalogue;  // of the cluster's region, shared
  const Config& config;
  telemetry::Log log;
  decltype(Seams::decorate_cloud) decorate_cloud;
};

// Destroying it stops the loops. Belongs to the executor.
class ClusterLoops {
 public:
  virtual ~ClusterLoops() = default;
};

// The cluster and the hub are announced in `connections`.
std::unique_ptr<ClusterLoops> start_cluster_loops(LoopParts parts);

}  // namespace keelway::app
