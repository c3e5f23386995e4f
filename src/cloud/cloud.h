// The seam to machines: what can be had, at what price, and the two acts, launch and terminate.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "placement/requirements.h"
#include "placement/resources.h"

namespace keelway::cloud {

// One way to have a machine of a type.
struct Offering {
  std::string zone;                  // "us-east-1a"
  std::string capacity_type;         // "on-demand", "spot"
  std::int64_t price_micro_usd = 0;  // an hour, millionths of a dollar
  bool available = true;
};

// An instance type as a scheduler sees it.
struct InstanceType {
  std::string name;  // "m5.large"
  // Well-known labels of every node of this type: node.kubernetes.io/instance-type,
  // kubernetes.io/arch and os, karpenter.k8s.aws/instance-*. Zone and capacity type are the
  // offering's.
  placement::Labels labels;
  placement::ResourceList capacity;
  placement::ResourceList allocatable;  // capacity less what the system keeps
  std::vector<Offering> offerings;      // of one region, cheapest first

  const Offering* find(std::string_view zone, std::string_view capacity_type) const;
};

// Immutable; shared by every cluster of a region.
class Catalogue {
 public:
  virtual ~Catalogue() = default;
  virtual const std::vector<InstanceType>& types() const = 0;  // by name
  virtual const InstanceType* find(std::string_view name) const = 0;
};
using CataloguePtr = std::shared_ptr<const Catalogue>;

struct LaunchRequest {
  std::string token;       // launching twice with one token gives one machine
  std::string claim_name;  // NodeClaim
  std::string instance_type, zone, capacity_type;
  // What the node registers with.
  value::Value labels;       // map
  value::Value annotations;  // map
  value::Value taints;       // list of v1.Taint
};

struct Machine {
  std::string provider_id;  // "aws:///us-east-1a/i-0123456789abcdef0"
  std::string node_name;    // "i-0123456789abcdef0.eu-west-1.compute.internal"
  std::string image_id;
};

// Belongs to one executor. Errors: exhausted (no capacity: try another offering), invalid (no such
// type or zone), unavailable (try again).
class Cloud {
 public:
  virtual ~Cloud() = default;
  virtual void launch(LaunchRequest request,
                      std::move_only_function<void(base::Result<Machine>)> done) = 0;
  // The machine that was launched with the token, whether or not the launch was ever answered.
  // Gone machines are success.
  virtual void terminate(std::string token,
                         std::move_only_function<void(base::Result<void>)> done) = 0;
  // Whether the machine that was launched with the token is still there.
  virtual void inspect(std::string token,
                       std::move_only_function<void(base::Result<bool>)> done) = 0;
  // The tokens of all machines that are there.
  virtual void list(std::move_only_function<void(base::Result<std::vector<std::string>>)> done) = 0;
};

}  // namespace keelway::cloud
