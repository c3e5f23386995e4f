#include "controllers/controllers.h"

#include "controllers/clusterroleaggregation/cluster_role_aggregation_loop.h"
#include "controllers/crd/crd_loop.h"
#include "controllers/deployment/deployment_loop.h"
#include "controllers/disruption/disruption_loop.h"
#include "controllers/garbage/garbage_loop.h"
#include "controllers/namespace/namespace_loop.h"
#include "controllers/namespaces/system_namespaces_loop.h"
#include "controllers/replicaset/replica_set_loop.h"
#include "controllers/rootca/root_ca_loop.h"
#include "controllers/serviceaccount/service_account_loop.h"

namespace keelway::controllers {

void add_all(reconcile::Manager& manager, const Options& options) {
  manager.add(make_system_namespaces_loop());
  manager.add(make_service_account_loop());
  if (!options.ca_pem.empty()) manager.add(make_root_ca_loop(options.ca_pem));
  manager.add(make_cluster_role_aggregation_loop());
  manager.add(make_crd_loop());
  manager.add(make_namespace_loop(options.resources));
  manager.add(make_garbage_loop(options.resources));
  manager.add(make_deployment_loop());
  manager.add(make_replica_set_loop());
  manager.add(make_disruption_loop());
  manager.add(make_node_lifecycle_loop(options.nodes));
  manager.add(make_taint_eviction_loop());
  manager.add(make_pod_collection_loop());
}

}  // namespace keelway::controllers
