// The seam between the fleet, which knows what clusters there should be, and app, which knows how
// to put one together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "fleet/cluster_keys.h"
#include "fleet/membership.h"
#include "runtime/runtime.h"

namespace keelway::fleet {

struct ControlPlaneSpec {
  std::string id;          // name of the Cluster object
  std::string keyspace;    // of the store: never that of another cluster that had this name
  std::string name_space;  // of the Cluster object on the hub
  std::string name, arn, account_id, region;
  std::string creator_arn;  // is cluster admin
  int minor = 0;            // 33: Kubernetes 1.33
  std::string service_cidr;
  std::string oidc_issuer;
  std::uint16_t port = 0;  // 0: any free one
  bool own = false;        // this server is to lead it; else another has done so already
  ClusterKeys keys;
};

// By what right a server runs the loops of a cluster.
struct Leadership {
  Registration server;      // uid empty: the only server, which needs no fences
  std::int64_t epoch = 0;   // of the cluster: counts who came after whom
  std::int64_t tenure = 0;  // of the server: counts its leases under one registration
};

// A running control plane; its data outlives it. It serves the API; its loops run only while led.
class ControlPlane {
 public:
  // Only after stop() has called back, or when none of its executors can run any more.
  virtual ~ControlPlane() = default;
  virtual std::uint16_t port() const = 0;
  using Done = std::move_only_function<void(base::Result<void>)>;
  // Starts the loops, anew where they run. Fails where a later leader has them.
  virtual void lead(Leadership leadership, Done done) = 0;
  // Serves another minor from `done` on, without a pause: requests under way are answered as they
  // began, watches end and are resumed.
  virtual void upgrade(int minor, Done done) = 0;
  // Stops the loops, those that are about to start, too.
  virtual void follow() = 0;
  // Ends watches, closes connections, stops the loops; then `done`, on the executor that the
  // control plane was assembled from.
  virtual void stop(runtime::Task done) = 0;
};

using Assembled = std::move_only_function<void(base::Result<std::unique_ptr<ControlPlane>>)>;
using Assemble = std::function<void(ControlPlaneSpec, Assembled)>;
// Removes the data of a cluster that is not running.
using Discard = std::function<void(const std::string& keyspace,
                                   std::move_only_function<void(base::Result<void>)>)>;

}  // namespace keelway::fleet
