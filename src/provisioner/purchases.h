// What the two loops that buy nodes have decided and the view may not show yet: each by itself,
// both could spend the same rest of a pool's limits.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "provisioner/cluster_state.h"

namespace keelway::provisioner {

enum class Buyer { provisioning, disruption };

// Of one cluster, shared by its loops, which run on one executor.
class Purchases {
 public:
  // The creates of claims that `buyer` has under way, and has just planned, replace what it said
  // before. Said as a plan begins and as it ends: a claim's appearance wakes both loops, and so
  // ends its place here.
  void say(Buyer buyer, const reconcile::BatchLoop::Assumed& assumed,
           const std::vector<reconcile::Action>& planned);
  // Adds what both have under way.
  void add_to(std::map<std::string, ClaimState>& claims, const cloud::Catalogue& catalogue) const;

 private:
  std::array<std::vector<value::Value>, 2> under_way_;  // bodies of creates
};
using PurchasesPtr = std::shared_ptr<Purchases>;

}  // namespace keelway::provisioner
