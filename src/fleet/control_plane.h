// The seam between the fleet, which knows what clusters there should be, and app, which knows how
// to put one together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "fleet/cluster_keys.h"
#include "runtime/runtime.h"

namespace keelway::fleet {

struct ControlPlaneSpec {
  std::string id;          // name of the Cluster object; also the cluster's keyspace
  std::string name_space;  // of the Cluster object on the hub
  std::string name, arn, account_id, region;
  std::string creator_arn;  // is cluster admin
  int minor = 0;            // 33: Kubernetes 1.33
  std::string service_cidr;
  std::string oidc_issuer;
  std::uint16_t port = 0;  // 0: any free one
  ClusterKeys keys;
};

// A running control plane; its data outlives it.
class ControlPlane {
 public:
  // Only after stop() has called back, or when none of its executors can run any more.
  virtual ~ControlPlane() = default;
  virtual std::uint16_t port() const = 0;
  // Ends watches, closes connections, stops the loops; then `done`, on the executor that the
  // control plane was assembled from.
  virtual void stop(runtime::Task done) = 0;
};

using Assembled = std::move_only_function<void(base::Result<std::unique_ptr<ControlPlane>>)>;
using Assemble = std::function<void(ControlPlaneSpec, Assembled)>;
// Removes the data of a cluster that is not running.
using Discard =
    std::function<void(const std::string& id, std::move_only_function<void(base::Result<void>)>)>;

}  // namespace keelway::fleet
