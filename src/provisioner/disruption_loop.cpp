#include <algorithm>

#include "client/resources.h"
#include "placement/fit.h"
#include "provisioner/cluster_state.h"
#include "provisioner/loops.h"
#include "provisioner/names.h"
#include "provisioner/pod_rules.h"
#include "reconcile/conditions.h"

namespace keelway::provisioner {
namespace {

namespace resources = client::resources;
using client::View;
using reconcile::Action;
using reconcile::Plan;
using value::Value;

// One look covers what happened together.
constexpr auto window = std::chrono::milliseconds(200);
// Nodes that expire are found by time alone; this bounds how late.
constexpr auto expiry_check = std::chrono::minutes(1);

bool asks_not_to_be_disrupted(const Value& object) {
  return object.at("metadata", "annotations", do_not_disrupt).as_string() == "true";
}

// How many more voluntary disruptions each pod's budgets allow, as this plan goes on.
class Budgets {
 public:
  explicit Budgets(const View& view) {
    for (const auto& object : view.list(resources::disruption_budgets)) {
      const Value document = object->value();
      entries_.push_back({object->name_space(),
                          placement::read_selector(document.at("spec", "selector")),
                          document.at("status", "disruptionsAllowed").as_int()});
    }
  }
  // Whether every one of the pods may be evicted; takes their allowance where it is so.
  bool take(const std::vector<placement::PodInfoPtr>& pods) {
    auto trial = entries_;
    for (const auto& pod : pods) {
      int matching = 0;
      for (Entry& entry : trial) {
        if (entry.name_space != pod->name_space || !entry.selector.matches(pod->labels.pairs())) {
          continue;
        }
        // The eviction of a pod under two budgets is always refused.
        if (++matching > 1 || --entry.allowed < 0) return false;
      }
    }
    entries_ = std::move(trial);
    return true;
  }

 private:
  struct Entry {
    std::string name_space;
    value::LabelSelector selector;
    std::int64_t allowed = 0;
  };
  std::vector<Entry> entries_;
};

class Disruption {
 public:
  Disruption(const View& view, const cloud::Catalogue& catalogue, PodCache& pods,
             base::WallTime now)
      : view_(view), now_(now), budgets_(view), claims_(read_claims(view, catalogue, pods)) {
    for (const auto& object : view.list(resources::node_pools)) {
      NodePool pool = read_node_pool(*object);
      pools_[pool.name] = std::move(pool);
    }
    for (const auto& [name, claim] : claims_) {
      ++totals_[claim.pool];
      if (claim.deleting) ++going_[claim.pool];
    }
    for (const auto& pod : view.list(resources::pods)) {
      if (pod->deleting() || !pod->value().at("spec", "nodeName").as_string().empty()) continue;
      auto info = pods.read(pod);
      if (!info->gated && !info->finished) unbound_.push_back(std::move(info));
    }
  }

  Plan plan() {
    Plan plan;
    bool any = false;
    for (auto& [name, claim] : claims_) {
      any = any || !claim.deleting;
      if (!claim.deleting && is_expired(claim)) remove(plan, claim);
    }
    for (auto& [name, claim] : claims_) {
      if (is_candidate(claim) && waiting_pods(claim).empty() && !is_awaited(claim) &&
          within_budget(claim, "Empty")) {
        remove(plan, claim);
      }
    }
    // Emptied nodes first: what moves next should not move to a node that is going.
    if (plan.actions.empty() && !anyone_waits_for_room()) consolidate(plan);
    if (any) plan.next = reconcile::After{expiry_check};
    return plan;
  }

 private:
  bool is_expired(const ClaimState& claim) const {
    const auto life = base::parse_duration(claim.expire_after);
    return life && claim.initialized && claim.created + *life <= now_;
  }

  bool is_candidate(const ClaimState& claim) const {
    if (!claim.initialized || !claim.consolidatable || claim.deleting) return false;
    const auto node = view_.get(resources::nodes, "", claim.node_name);
    return node && pools_.contains(claim.pool) && !asks_not_to_be_disrupted(node->value());
  }

  static std::vector<placement::PodInfoPtr> waiting_pods(const ClaimState& claim) {
    std::vector<placement::PodInfoPtr> pods;
    for (const auto& pod : claim.node.pods) {
      if (is_reschedulable(*pod)) pods.push_back(pod);
    }
    return pods;
  }

  bool within_budget(const ClaimState& claim, std::string_view reason) {
    const std::int64_t allowed = pools_[claim.pool].budget_for(reason, totals_[claim.pool]);
    return going_[claim.pool] < allowed;
  }

  void remove(Plan& plan, ClaimState& claim) {
    claim.deleting = true;
    ++going_[claim.pool];
    plan.actions.push_back({client::remove_call(resources::node_claims, "", claim.name,
                                                client::delete_options(claim.uid)),
                            {"NotFound", "Conflict"}});
  }

  // It was bought for a pod that the scheduler has not bound yet.
  bool is_awaited(const ClaimState& claim) const {
    return std::any_of(unbound_.begin(), unbound_.end(), [&claim](const auto& pod) {
      return placement::fits_quick(*pod, claim.node);
    });
  }

  // Pods that wait are looked after first: their room may be what seems idle.
  bool anyone_waits_for_room() const {
    for (const auto& [name, claim] : claims_) {
      if (!claim.deleting && !claim.initialized) return true;
      if (claim.deleting && !waiting_pods(claim).empty()) return true;
    }
    return !unbound_.empty();
  }

  // One node a plan, dearest for what it carries first, where all its pods fit on the others.
  void consolidate(Plan& plan) {
    std::vector<ClaimState*> candidates;
    for (auto& [name, claim] : claims_) {
      if (is_candidate(claim) && !pools_[claim.pool].only_when_empty &&
          !waiting_pods(claim).empty()) {
        candidates.push_back(&claim);
      }
    }
    std::stable_sort(
        candidates.begin(), candidates.end(), [](const ClaimState* a, const ClaimState* b) {
          const auto left = a->price_micro_usd * static_cast<std::int64_t>(b->node.pods.size() + 1);
          const auto right =
              b->price_micro_usd * static_cast<std::int64_t>(a->node.pods.size() + 1);
          return left > right;
        });
    if (candidates.empty()) return;
    collect_room();
    for (ClaimState* claim : candidates) {
      if (!within_budget(*claim, "Underutilized") || !may_be_moved(*claim)) continue;
      if (fits_elsewhere(*claim) && budgets_.take(waiting_pods(*claim))) {
        return remove(plan, *claim);
      }
    }
  }

  bool may_be_moved(const ClaimState& claim) const {
    for (const auto& pod : waiting_pods(claim)) {
      const auto object = view_.get(resources::pods, pod->name_space, pod->name);
      // A pod that nothing will make again is not ours to remove.
      if (!object || asks_not_to_be_disrupted(object->value()) || !object->controller()) {
        return false;
      }
    }
    return true;
  }

  void collect_room() {
    for (const auto& [name, claim] : claims_) {
      if (!claim.initialized || claim.deleting || claim.node.unschedulable) continue;
      room_.push_back({&claim, claim.node});
    }
  }

  bool fits_elsewhere(const ClaimState& leaving) {
    std::vector<std::pair<placement::NodeState*, std::string>> moved;
    bool all = true;
    for (const auto& pod : waiting_pods(leaving)) {
      placement::NodeState* home = find_home(leaving, *pod);
      all = home != nullptr;
      if (!all) break;
      home->add(pod);
      moved.emplace_back(home, pod->uid);
    }
    for (const auto& [node, uid] : moved) node->remove(uid);
    return all;
  }

  placement::NodeState* find_home(const ClaimState& leaving, const placement::PodInfo& pod) {
    // Rules between pods need the whole topology; such pods stay where they are.
    if (!pod.spread.empty() || !pod.affinity.empty() || !pod.anti_affinity.empty()) return nullptr;
    placement::PodInfo free = pod;
    free.node_name.clear();
    for (Room& room : room_) {
      if (room.claim != &leaving && placement::fits_quick(free, room.node) &&
          may_join(free, room.node)) {
        return &room.node;
      }
    }
    return nullptr;
  }

  struct Room {
    const ClaimState* claim = nullptr;
    placement::NodeState node;
  };
  const View& view_;
  const base::WallTime now_;
  Budgets budgets_;
  std::map<std::string, ClaimState> claims_;
  std::map<std::string, NodePool> pools_;
  std::vector<placement::PodInfoPtr> unbound_;
  std::vector<Room> room_;                              // what pods could move to
  std::map<std::string, std::int64_t> totals_, going_;  // nodes of a pool, those on their way out
};

class DisruptionLoop final : public reconcile::BatchLoop {
 public:
  explicit DisruptionLoop(cloud::CataloguePtr catalogue) : catalogue_(std::move(catalogue)) {}

  std::string_view name() const override { return "disruption"; }
  std::vector<client::Resource> watches() const override {
    return {resources::pods, resources::nodes, resources::node_claims, resources::node_pools,
            resources::disruption_budgets};
  }
  // A claim turns Consolidatable when its pods have been quiet; budgets may open later.
  bool wakes(const client::Change& change) const override {
    return change.resource == resources::node_claims ||
           change.resource == resources::disruption_budgets ||
           change.resource == resources::node_pools ||
           (change.resource == resources::pods && !change.object);
  }
  base::Duration batch_window() const override { return window; }

  Plan plan(const View& view, const Assumed& assumed, base::WallTime now,
            reconcile::Seed) const override {
    // What was decided before must be seen before more is decided.
    if (!assumed.actions.empty()) return {{}, reconcile::After{window}};
    Plan plan = Disruption(view, *catalogue_, pods_, now).plan();
    pods_.sweep();
    return plan;
  }

 private:
  const cloud::CataloguePtr catalogue_;
  mutable PodCache pods_;  // by revision: the same view gives the same plan
};

}  // namespace

std::unique_ptr<reconcile::BatchLoop> make_disruption_loop(cloud::CataloguePtr catalogue) {
  return std::make_unique<DisruptionLoop>(std::move(catalogue));
}

}  // namespace keelway::provisioner
