// The nodes of a cluster as the provisioner sees them: those that are there and those that are on
// their way, with the pods on them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/view.h"
#include "cloud/cloud.h"
#include "placement/node_state.h"
#include "provisioner/node_pool.h"
#include "reconcile/loop.h"

namespace keelway::provisioner {

// A NodeClaim together with its node, where it has one.
struct ClaimState {
  std::string name, uid, pool, node_name, provider_id;
  bool deleting = false;
  bool launched = false;
  bool registered = false;
  bool initialized = false;
  bool consolidatable = false;
  base::WallTime created;
  std::string expire_after;
  std::string replaces;  // the claim that it was bought to take over from; empty: none
  std::string instance_type;
  std::int64_t price_micro_usd = 0;
  // Until it is launched, what it may become.
  bool type_is_open = false;
  placement::Requirements requirements;
  placement::ResourceList requests;
  // What it is or will be; taints that go by themselves while a node starts are left out.
  placement::NodeState node;
};

// Parses pods once a revision of theirs; bounded by what the view holds, because what has left it
// is dropped at the next sweep. No more than a cache: equal views give equal states.
class PodCache {
 public:
  placement::PodInfoPtr read(const client::ObjectPtr& object);
  void sweep();  // forgets what was not read since the last sweep

 private:
  struct Entry {
    client::Revision revision = 0;
    placement::PodInfoPtr info;
    bool used = true;
  };
  std::map<std::string, Entry> by_uid_;
};

// The same for claims and their nodes, without the pods.
class ClaimCache {
 public:
  // `node`: null where there is none yet.
  const ClaimState& read(const client::ObjectPtr& claim, const client::ObjectPtr& node,
                         const cloud::Catalogue& catalogue);
  void sweep();

 private:
  struct Entry {
    client::Revision claim = 0, node = 0;
    ClaimState state;
    bool used = true;
  };
  std::map<std::string, Entry, std::less<>> by_uid_;
};

// By claim name.
std::map<std::string, ClaimState> read_claims(const client::View& view,
                                              const cloud::Catalogue& catalogue, PodCache& pods,
                                              ClaimCache& known);
// From the body of a create that the view does not show yet.
ClaimState read_assumed_claim(const value::Value& body, const cloud::Catalogue& catalogue);

// What the claims take of the limits of the input's pools, into its `used` and `node_counts`.
struct SolverInput;
void count_use(const std::map<std::string, ClaimState>& claims, SolverInput& input);

// Pools that are ready, heaviest first, then by name.
std::vector<NodePool> read_ready_pools(const client::View& view);

// The scheduler has looked at the pod and found no place.
bool waits_for_room(const value::Value& pod);

// Bound to a DaemonSet or to the node itself: it does not keep a node alive.
bool is_reschedulable(const placement::PodInfo& pod);

}  // namespace keelway::provisioner
