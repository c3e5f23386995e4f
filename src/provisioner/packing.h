// What one node of each type would take in, and which of them is the best buy.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "placement/node_state.h"
#include "provisioner/node_pool.h"
#include "provisioner/offers.h"

namespace keelway::provisioner {

// What a pod is worth when buys are compared, so that full nodes of different shapes can be.
std::int64_t worth(const placement::ResourceList& list);

// Pods that ask for the same of a node.
struct PodGroup {
  placement::PodInfoPtr sample;
  std::string zone;                      // that rules between pods chose; empty: any
  placement::Requirements requirements;  // the zone included
  std::string requirements_text;         // equal for equal requirements; empty: none
  std::size_t per_node_max = SIZE_MAX;
  std::vector<std::size_t> repelled;        // groups that may not share a node with this one
  std::vector<placement::PodInfoPtr> pods;  // not placed yet
  bool open = true;
};

struct Packing {
  const cloud::InstanceType* type = nullptr;
  const cloud::Offering* offering = nullptr;
  std::vector<std::size_t> counts;  // by group
  std::vector<int> narrowing;       // ids of the requirements that were joined, in order
  placement::ResourceList requests;
  std::int64_t worth = 0;  // 0: nothing fits
};

// Packs the groups on the types of one pool. The groups must not be added to or moved meanwhile;
// their pods may be taken.
class Packer {
 public:
  Packer(const NodePool& pool, const cloud::Catalogue& catalogue,
         const std::vector<PodGroup>& groups, std::vector<bool> suited);

  // The lowest price for what it takes in; between equals the cheaper node, then the name.
  Packing best(const std::function<bool(const cloud::InstanceType&)>& is_within_limits);
  // Of a node that carries the packing.
  const placement::Requirements& requirements(const Packing& packing);
  // Types that could hold the same pods, cheapest first: a launch has somewhere to go when the
  // best one has no capacity left.
  std::vector<Choice> alternatives(const Packing& packing, std::size_t most);

 private:
  struct Candidate {
    const cloud::InstanceType* type = nullptr;
    const cloud::Offering* offering = nullptr;  // the cheapest that the pool allows
    std::vector<bool> suits;                    // by group
    std::int64_t worth_max = 0;                 // of all that could be on it
  };
  // The pool's requirements together with those of some groups.
  struct Joined {
    placement::Requirements requirements;
    bool possible = true;
    std::vector<Choice> offers;  // one a type, cheapest first; made when first asked for
    bool has_offers = false;
  };

  void number_requirements();
  void find_candidates();
  void find_live_groups();
  bool is_beaten(const Candidate& candidate, const Candidate& by) const;
  bool suits(const cloud::InstanceType& type, std::size_t group);
  Joined& joined(const std::vector<int>& ids);
  Packing pack(const Candidate& candidate);
  bool narrow(Packing& packing, std::size_t group);

  const NodePool& pool_;
  const cloud::Catalogue& catalogue_;
  const std::vector<PodGroup>& groups_;
  const std::vector<bool> suited_;
  std::vector<int> requirement_ids_;  // by group; -1: none
  std::vector<const placement::Requirements*> by_id_;
  bool offers_differ_ = false;  // some group asks for a zone or a capacity type
  std::map<std::vector<int>, Joined> joined_;
  std::vector<Candidate> candidates_;                   // the lowest price for worth_max first
  std::vector<std::size_t> live_;                       // groups that have pods left
  placement::Amount least_cpu_ = 0, least_memory_ = 0;  // that any of them asks for
};

}  // namespace keelway::provisioner
