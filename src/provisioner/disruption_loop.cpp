#include <algorithm>
#include <set>

#include "client/resources.h"
#include "placement/fit.h"
#include "provisioner/claim_document.h"
#include "provisioner/cluster_state.h"
#include "provisioner/loops.h"
#include "provisioner/names.h"
#include "provisioner/pod_rules.h"
#include "provisioner/replacement.h"
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
// A pod is bound to the node that was bought for it within this, rules between pods allowing.
constexpr auto binding_limit = std::chrono::minutes(5);
constexpr std::string_view default_scheduler = "default-scheduler";
// Nodes for which a cheaper one is looked for in one plan: each look goes through all types.
constexpr std::size_t looks_max = 32;

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
  // Whether each of the pods may be evicted, one after the other; takes one allowance of each
  // budget of theirs, so that nodes of one budget do not all begin at once.
  bool take(const std::vector<placement::PodInfoPtr>& pods) {
    std::set<Entry*> charged;
    for (const auto& pod : pods) {
      int matching = 0;
      for (Entry& entry : entries_) {
        if (entry.name_space != pod->name_space || !entry.selector.matches(pod->labels.pairs())) {
          continue;
        }
        // The eviction of a pod under two budgets is always refused.
        if (++matching > 1 || entry.allowed < 1) return false;
        charged.insert(&entry);
      }
    }
    for (Entry* entry : charged) --entry->allowed;
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
             ClaimCache& claims, const Purchases& purchases, base::WallTime now,
             reconcile::Seed seed)
      : view_(view),
        catalogue_(catalogue),
        now_(now),
        seed_(seed),
        budgets_(view),
        claims_(read_claims(view, catalogue, pods, claims)) {
    purchases.add_to(claims_, catalogue);
    for (const auto& object : view.list(resources::node_pools)) {
      NodePool pool = read_node_pool(*object);
      pools_[pool.name] = std::move(pool);
    }
    for (const auto& [name, claim] : claims_) {
      ++totals_[claim.pool];
      if (claim.deleting || is_unwell(claim)) ++going_[claim.pool];
    }
    for (const auto& pod : view.list(resources::pods)) {
      if (pod->deleting() || !pod->field("spec.nodeName").empty()) continue;
      auto info = pods.read(pod);
      if (info->gated || info->finished) continue;
      if (waits_for_room(pod->value())) {
        unplaced_.try_emplace(demand_of(*info), info);
      } else if (info->scheduler == default_scheduler) {
        somebody_is_new_ = true;
      }
    }
  }

  Plan plan() {
    Plan plan;
    bool any = false;
    for (auto& [name, claim] : claims_) {
      any = any || !claim.deleting;
      if (!claim.deleting && is_expired(claim)) remove(plan, claim);
    }
    for (auto& [name, claim] : claims_) hand_over(plan, claim);
    for (auto& [name, claim] : claims_) {
      if (is_candidate(claim) && waiting_pods(claim).empty() && !is_awaited(claim) &&
          within_budget(claim, "Empty")) {
        remove(plan, claim);
      }
    }
    // Emptied nodes first: what moves next should not move to a node that is going.
    if (plan.actions.empty() && !anyone_waits_for_room()) {
      const auto candidates = underutilized();
      if (!consolidate(plan, candidates)) replace(plan, candidates);
    }
    if (any) plan.next = reconcile::After{expiry_check};
    return plan;
  }

 private:
  struct Room {
    const ClaimState* claim = nullptr;
    placement::NodeState node;
  };

  // A node that was up and is not Ready takes from its pool's budget like one that leaves.
  static bool is_unwell(const ClaimState& claim) { return claim.initialized && !claim.node.ready; }

  bool is_expired(const ClaimState& claim) const {
    const auto life = base::parse_duration(claim.expire_after);
    return life && claim.created + *life <= now_;
  }

  bool is_candidate(const ClaimState& claim) const {
    if (!claim.initialized || !claim.consolidatable || claim.deleting) return false;
    const auto node = view_.get(resources::nodes, "", claim.node_name);
    return node && pools_.contains(claim.pool) && !asks_not_to_be_disrupted(node->value());
  }

  // The node that was bought for the pods of a dearer one is there: the dearer one goes.
  void hand_over(Plan& plan, const ClaimState& to) {
    const auto from = claims_.find(to.replaces);
    if (to.replaces.empty() || !to.initialized || to.deleting || from == claims_.end()) return;
    ClaimState& leaving = from->second;
    const auto node = view_.get(resources::nodes, "", leaving.node_name);
    if (leaving.deleting || !node || asks_not_to_be_disrupted(node->value()) ||
        to.price_micro_usd >= leaving.price_micro_usd) {
      return;
    }
    if (within_budget(leaving, "Underutilized") && may_be_moved(leaving) && !has_rules(leaving) &&
        takes_in(to.node, homeless_without(leaving, &to)) && budgets_.take(waiting_pods(leaving))) {
      remove(plan, leaving);
    }
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
    if (!is_unwell(claim)) ++going_[claim.pool];
    plan.actions.push_back({client::remove_call(resources::node_claims, "", claim.name,
                                                client::delete_options(claim.uid)),
                            {"NotFound", "Conflict"}});
  }

  // It was bought for a pod that the scheduler has not bound yet, or that is about to leave a node.
  bool is_awaited(const ClaimState& claim) const {
    if (const auto from = claims_.find(claim.replaces);
        from != claims_.end() && from->second.deleting && !waiting_pods(from->second).empty()) {
      return true;
    }
    return has_come_for_somebody(claim);
  }

  // A pod that found no place fits there. Rules between pods may keep it away nevertheless, so for
  // such pods only a new node counts.
  bool has_come_for_somebody(const ClaimState& claim) const {
    const bool is_new = now_ - claim.created < binding_limit;
    return std::any_of(unplaced_.begin(), unplaced_.end(), [&](const auto& entry) {
      const placement::PodInfo& pod = *entry.second;
      return (is_new || !has_rules(pod)) && placement::fits_quick(pod, claim.node) &&
             may_join(pod, claim.node);
    });
  }

  // Pods that wait are looked after first: their room may be what seems idle. A node that does not
  // come up in time, like a pod that no node and no pool can take, holds up nobody.
  bool anyone_waits_for_room() const {
    for (const auto& [name, claim] : claims_) {
      if (!claim.deleting && !claim.initialized && now_ - claim.created < binding_limit)
        return true;
    }
    return somebody_is_new_ ||
           std::any_of(claims_.begin(), claims_.end(), [this](const auto& entry) {
             return !entry.second.deleting && has_come_for_somebody(entry.second);
           });
  }

  // Dearest for what it carries first.
  std::vector<ClaimState*> underutilized() {
    std::vector<ClaimState*> candidates;
    for (auto& [name, claim] : claims_) {
      if (is_candidate(claim) && !pools_[claim.pool].only_when_empty &&
          !waiting_pods(claim).empty() && within_budget(claim, "Underutilized")) {
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
    return candidates;
  }

  // One node a plan, where all its pods fit on the others.
  bool consolidate(Plan& plan, const std::vector<ClaimState*>& candidates) {
    for (ClaimState* claim : candidates) {
      if (fits_elsewhere(*claim) && may_be_moved(*claim) && budgets_.take(waiting_pods(*claim))) {
        remove(plan, *claim);
        return true;
      }
    }
    return false;
  }

  // One node a plan, where a cheaper one takes over what does not fit on the others.
  void replace(Plan& plan, const std::vector<ClaimState*>& candidates) {
    const SolverInput cluster = read_limits();
    // Where there are more than one plan looks at, the next plan begins elsewhere.
    for (std::size_t i = 0; i < std::min(candidates.size(), looks_max); ++i) {
      const ClaimState& claim = *candidates[(seed_ + i) % candidates.size()];
      if (is_being_replaced(claim)) continue;
      // The cheapest spot capacity is the first to be taken back: a spot node stays.
      if (has_rules(claim) || claim.node.labels.get(capacity_type_label) == "spot") continue;
      const auto cheaper =
          find_replacement(homeless_without(claim), claim.price_micro_usd, cluster);
      if (!cheaper || !may_be_moved(claim) || !budgets_.take(waiting_pods(claim))) continue;
      Value document = claim_document(*cheaper, pools_[cheaper->pool], seed_);
      document.mutate("metadata", "annotations").set(replaces_annotation, claim.name);
      plan.actions.push_back(
          {client::create_call(resources::node_claims, "", document), {"AlreadyExists"}});
      return;
    }
  }

  bool is_being_replaced(const ClaimState& claim) const {
    return std::any_of(claims_.begin(), claims_.end(), [&claim](const auto& entry) {
      return entry.second.replaces == claim.name && !entry.second.deleting;
    });
  }

  SolverInput read_limits() const {
    SolverInput cluster;
    cluster.catalogue = &catalogue_;
    cluster.pools = read_ready_pools(view_);
    count_use(claims_, cluster);
    return cluster;
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

  std::vector<Room>& rooms() {
    if (has_rooms_) return rooms_;
    has_rooms_ = true;
    for (const auto& [name, claim] : claims_) {
      if (!claim.initialized || claim.deleting || claim.node.unschedulable) continue;
      rooms_.push_back({&claim, claim.node});
    }
    for (const auto& [name, claim] : claims_) {
      if (claim.deleting) reserve_for(claim);
    }
    return rooms_;
  }

  // The pods of a leaving node will take room on the others; rules between pods may choose another
  // than this one, and so are not looked at.
  void reserve_for(const ClaimState& leaving) {
    for (const auto& pod : waiting_pods(leaving)) {
      placement::PodInfo free = *pod;
      free.node_name.clear();
      const auto room = std::find_if(rooms_.begin(), rooms_.end(), [&free](const Room& candidate) {
        return placement::fits_quick(free, candidate.node);
      });
      if (room != rooms_.end()) room->node.add(pod);
    }
  }

  bool fits_elsewhere(const ClaimState& leaving) {
    return homeless_without(leaving, nullptr, 0).empty();
  }

  // The node's pods that no other node has room for, `except` aside; the search ends where they are
  // more than `most`.
  std::vector<placement::PodInfoPtr> homeless_without(const ClaimState& leaving,
                                                      const ClaimState* except = nullptr,
                                                      std::size_t most = SIZE_MAX) {
    std::vector<std::pair<placement::NodeState*, std::string>> moved;
    std::vector<placement::PodInfoPtr> homeless;
    for (const auto& pod : waiting_pods(leaving)) {
      if (placement::NodeState* home = find_home(leaving, except, *pod)) {
        home->add(pod);
        moved.emplace_back(home, pod->uid);
      } else {
        homeless.push_back(pod);
        if (homeless.size() > most) break;
      }
    }
    for (const auto& [node, uid] : moved) node->remove(uid);
    return homeless;
  }

  // Rules between pods need the whole topology; such pods stay where they are.
  static bool has_rules(const placement::PodInfo& pod) {
    return !pod.spread.empty() || !pod.affinity->empty() || !pod.anti_affinity->empty();
  }
  static bool has_rules(const ClaimState& claim) {
    return std::any_of(claim.node.pods.begin(), claim.node.pods.end(),
                       [](const auto& pod) { return has_rules(*pod); });
  }

  placement::NodeState* find_home(const ClaimState& leaving, const ClaimState* except,
                                  const placement::PodInfo& pod) {
    if (has_rules(pod)) return nullptr;
    placement::PodInfo free = pod;
    free.node_name.clear();
    for (Room& room : rooms()) {
      if (room.claim != &leaving && room.claim != except && !room.claim->deleting &&
          placement::fits_quick(free, room.node) && may_join(free, room.node)) {
        return &room.node;
      }
    }
    return nullptr;
  }

  const View& view_;
  const cloud::Catalogue& catalogue_;
  const base::WallTime now_;
  const reconcile::Seed seed_;
  Budgets budgets_;
  std::map<std::string, ClaimState> claims_;
  std::map<std::string, NodePool> pools_;
  // Pods without a node: those that the scheduler found no place for, one for each demand; and
  // whether there are some that it has not looked at.
  std::map<std::string, placement::PodInfoPtr> unplaced_;
  bool somebody_is_new_ = false;
  std::vector<Room> rooms_;  // what pods could move to; made when first asked for
  bool has_rooms_ = false;
  std::map<std::string, std::int64_t> totals_, going_;  // nodes of a pool, those gone or unwell
};

class DisruptionLoop final : public reconcile::BatchLoop {
 public:
  DisruptionLoop(cloud::CataloguePtr catalogue, PurchasesPtr purchases)
      : catalogue_(std::move(catalogue)), purchases_(std::move(purchases)) {}

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
            reconcile::Seed seed) const override {
    purchases_->say(Buyer::disruption, assumed, {});
    // What was decided before must be seen before more is decided.
    if (!assumed.actions.empty()) return {{}, reconcile::After{window}};
    Plan plan = Disruption(view, *catalogue_, pods_, claims_, *purchases_, now, seed).plan();
    pods_.sweep();
    purchases_->say(Buyer::disruption, assumed, plan.actions);
    return plan;
  }

 private:
  const cloud::CataloguePtr catalogue_;
  const PurchasesPtr purchases_;
  // By revision: the same view gives the same plan.
  mutable PodCache pods_;
  mutable ClaimCache claims_;
};

}  // namespace

std::unique_ptr<reconcile::BatchLoop> make_disruption_loop(cloud::CataloguePtr catalogue,
                                                           PurchasesPtr purchases) {
  return std::make_unique<DisruptionLoop>(std::move(catalogue), std::move(purchases));
}

}  // namespace keelway::provisioner
