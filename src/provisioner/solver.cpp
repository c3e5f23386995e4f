#include "provisioner/solver.h"

#include <fmt/core.h>

#include <algorithm>

#include "placement/fit.h"
#include "provisioner/names.h"
#include "provisioner/packing.h"
#include "provisioner/pod_rules.h"
#include "value/json.h"

namespace keelway::provisioner {
namespace {

using placement::NodeState;
using placement::PodInfo;
using placement::PodInfoPtr;
using placement::Requirements;
using placement::ResourceList;
using placement::ValueSet;

// Where the search for room goes on. Nodes only fill up during one solve, so what was refused to
// one pod is refused to every later pod of the same demand.
class RoomFinder {
 public:
  explicit RoomFinder(std::vector<NodeState>& nodes) : nodes_(nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i].unschedulable || nodes[i].deleting) continue;
      everywhere_.push_back(i);
      by_zone_[std::string(nodes[i].labels.get(zone_label))].push_back(i);
    }
  }
  NodeState* find(const PodInfo& pod, const std::string& demand) {
    return find(pod, cursors_[demand], everywhere_);
  }
  NodeState* find(const PodInfo& pod, const std::string& demand, const std::string& zone) {
    const auto nodes = by_zone_.find(zone);
    return nodes != by_zone_.end() ? find(pod, cursors_[demand + "|zone " + zone], nodes->second)
                                   : nullptr;
  }

 private:
  NodeState* find(const PodInfo& pod, std::size_t& cursor, const std::vector<std::size_t>& among) {
    for (; cursor < among.size(); ++cursor) {
      NodeState& node = nodes_[among[cursor]];
      if (placement::fits_quick(pod, node) && may_join(pod, node)) return &node;
    }
    return nullptr;
  }

  std::vector<NodeState>& nodes_;
  std::vector<std::size_t> everywhere_;
  std::map<std::string, std::vector<std::size_t>> by_zone_;
  std::map<std::string, std::size_t> cursors_;
};

bool is_within_limits(const NodePool& pool, const SolverInput& cluster, const ResourceList& bought,
                      std::int64_t nodes_bought, const ResourceList& capacity) {
  const auto count = cluster.node_counts.find(pool.name);
  const std::int64_t before = count != cluster.node_counts.end() ? count->second : 0;
  if (pool.node_limit && before + nodes_bought + 1 > *pool.node_limit) return false;
  const auto used = cluster.used.find(pool.name);
  return std::all_of(pool.limits.begin(), pool.limits.end(), [&](const auto& limit) {
    const auto& [name, amount] = limit;
    const placement::Amount had = used != cluster.used.end() ? used->second.get(name) : 0;
    const placement::Amount more = capacity.get(name);
    return more == 0 || had + bought.get(name) + more <= amount;
  });
}

// One pass of solve().
class Solver {
 public:
  explicit Solver(const SolverInput& input)
      : input_(input), nodes_(input.nodes), zone_counts_(nodes_) {
    for (const cloud::InstanceType& type : input.catalogue->types()) {
      for (const cloud::Offering& offering : type.offerings) cloud_zones_.insert(offering.zone);
    }
    for (const NodeState& node : nodes_) {
      if (const auto zone = node.labels.get(zone_label); !zone.empty()) {
        node_zones_.insert(std::string(zone));
      }
    }
  }

  Solution run() {
    group(place_on_nodes(sorted(input_.pending)));
    std::size_t terms = 1;
    for (const PodGroup& group : groups_) {
      terms = std::max(terms, group.sample->node_affinity->required.size());
    }
    // The terms of a required node affinity are alternatives; the first that can be had is taken.
    for (std::size_t term = 0; term < terms; ++term) {
      if (term > 0) turn_to_term(term);
      for (const NodePool& pool : input_.pools) buy_from(pool);
    }
    for (const PodGroup& group : groups_) {
      for (const PodInfoPtr& pod : group.pods) {
        solution_.impossible.emplace_back(pod, reason_for(group));
      }
    }
    return std::move(solution_);
  }

 private:
  static std::vector<PodInfoPtr> sorted(std::vector<PodInfoPtr> pods) {
    std::stable_sort(pods.begin(), pods.end(), [](const PodInfoPtr& a, const PodInfoPtr& b) {
      if (const auto x = worth(a->requests), y = worth(b->requests); x != y) return x > y;
      return a->uid < b->uid;
    });
    return pods;
  }

  // What fits where there is room already, now or soon, needs no new node.
  std::vector<PodInfoPtr> place_on_nodes(std::vector<PodInfoPtr> pods) {
    if (nodes_.empty()) return pods;
    RoomFinder rooms(nodes_);
    std::vector<PodInfoPtr> left;
    for (PodInfoPtr& pod : pods) {
      const std::string demand = demand_of(*pod);
      if (NodeState* home = find_room(rooms, *pod, demand)) {
        if (ZoneCounts::has_rules(*pod)) {
          zone_counts_.place(*pod, std::string(home->labels.get(zone_label)));
        }
        home->add(std::move(pod));
      } else {
        left.push_back(std::move(pod));
      }
    }
    return left;
  }

  NodeState* find_room(RoomFinder& rooms, const PodInfo& pod, const std::string& demand) {
    if (!ZoneCounts::has_rules(pod)) return rooms.find(pod, demand);
    for (const std::string& zone : zone_counts_.allowed(pod, zones_for(pod, demand))) {
      if (NodeState* home = rooms.find(pod, demand, zone)) return home;
    }
    return nullptr;
  }

  // The zones that count for the pod: where a node is, or could be bought for it.
  const std::set<std::string>& zones_for(const PodInfo& pod, const std::string& demand) {
    const auto [found, fresh] = zones_.try_emplace(demand);
    if (!fresh) return found->second;
    const Requirements wanted = Requirements::of_pod(pod.node_affinity);
    const ValueSet& allowed = wanted.get(zone_label);
    for (const std::string& zone : node_zones_) {
      if (allowed.has(zone)) found->second.insert(zone);
    }
    for (const NodePool& pool : input_.pools) {
      if (!suits(pool, pod, wanted)) continue;
      for (const std::string& zone : cloud_zones_) {
        if (allowed.has(zone) && pool.requirements.get(zone_label).has(zone)) {
          found->second.insert(zone);
        }
      }
    }
    return found->second;
  }

  void group(const std::vector<PodInfoPtr>& pods) {
    std::map<std::string, std::size_t> by_demand;
    for (const PodInfoPtr& pod : pods) {
      std::string demand = demand_of(*pod);
      std::string zone;
      if (ZoneCounts::has_rules(*pod)) {
        const auto open = zone_counts_.allowed(*pod, zones_for(*pod, demand));
        if (open.empty()) {
          solution_.impossible.emplace_back(pod, "no zone satisfies its rules between pods");
          continue;
        }
        zone = open.front();
        zone_counts_.place(*pod, zone);
        demand += "|zone " + zone;
      }
      const auto [found, fresh] = by_demand.try_emplace(std::move(demand), groups_.size());
      if (fresh) {
        PodGroup& group = groups_.emplace_back();
        group.sample = pod;
        group.zone = zone;
        group.per_node_max = per_node_max(*pod);
        set_requirements(group, 0);
      }
      groups_[found->second].pods.push_back(pod);
    }
    find_repelled();
  }

  void find_repelled() {
    for (std::size_t a = 0; a < groups_.size(); ++a) {
      const PodInfo& pod = *groups_[a].sample;
      if (pod.anti_affinity->required.empty() && pod.host_ports.empty()) continue;
      for (std::size_t b = 0; b < groups_.size(); ++b) {
        if (a == b || !repel(pod, *groups_[b].sample)) continue;
        groups_[a].repelled.push_back(b);
        groups_[b].repelled.push_back(a);
      }
    }
  }

  static void set_requirements(PodGroup& group, std::size_t term) {
    group.requirements = Requirements::of_pod(group.sample->node_affinity, term);
    if (!group.zone.empty()) {
      group.requirements.add(std::string(zone_label), ValueSet::only({group.zone}));
    }
    group.requirements_text =
        group.requirements.sets().empty() ? "" : value::to_json(group.requirements.to_value());
  }

  // Groups that have no such term have had their chance.
  void turn_to_term(std::size_t term) {
    for (PodGroup& group : groups_) {
      group.open = term < group.sample->node_affinity->required.size() && !group.pods.empty();
      if (group.open) set_requirements(group, term);
    }
  }

  static bool suits(const NodePool& pool, const PodInfo& pod, const Requirements& wanted) {
    return placement::find_untolerated(pool.taints, pod.tolerations) == nullptr &&
           pool.requirements.compatible(wanted, well_known_labels());
  }

  void buy_from(const NodePool& pool) {
    std::vector<bool> suited(groups_.size());
    bool any = false;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const PodGroup& group = groups_[i];
      suited[i] =
          group.open && !group.pods.empty() && suits(pool, *group.sample, group.requirements);
      any = any || suited[i];
    }
    if (!any) return;
    Packer packer(pool, *input_.catalogue, groups_, std::move(suited));
    while (true) {
      const Packing best =
          packer.best([&](const cloud::InstanceType& type) { return within_limits(pool, type); });
      if (best.worth == 0) return;
      PlannedNode node = describe(pool, packer, best);
      do {
        buy(pool, best, node);
      } while (can_repeat(best) && within_limits(pool, *best.type));
    }
  }

  // The same packing is the best one again as long as every group can fill its part.
  bool can_repeat(const Packing& packing) const {
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      if (groups_[i].pods.size() < packing.counts[i]) return false;
    }
    return true;
  }

  static PlannedNode describe(const NodePool& pool, Packer& packer, const Packing& packing) {
    PlannedNode node;
    node.pool = pool.name;
    node.requirements = packer.requirements(packing);
    node.requests = packing.requests;
    std::vector<std::string> names;
    for (const Choice& choice : packer.alternatives(packing, instance_types_max)) {
      if (names.empty()) node.price_micro_usd = choice.offering->price_micro_usd;
      names.push_back(choice.type->name);
    }
    node.instance_type = names.front();
    node.requirements.add(std::string(instance_type_label), ValueSet::only(std::move(names)));
    return node;
  }

  void buy(const NodePool& pool, const Packing& packing, PlannedNode node) {
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      auto& pods = groups_[i].pods;
      for (std::size_t n = 0; n < packing.counts[i]; ++n) {
        node.pods.push_back(std::move(pods.back()));
        pods.pop_back();
      }
    }
    Bought& bought = bought_[pool.name];
    bought.capacity.add(packing.type->capacity);
    ++bought.nodes;
    solution_.nodes.push_back(std::move(node));
  }

  bool within_limits(const NodePool& pool, const cloud::InstanceType& type) {
    const Bought& bought = bought_[pool.name];
    return is_within_limits(pool, input_, bought.capacity, bought.nodes, type.capacity);
  }

  std::string reason_for(const PodGroup& group) const {
    if (input_.pools.empty()) return "no node pool is ready";
    std::string reasons;
    for (const NodePool& pool : input_.pools) {
      if (!reasons.empty()) reasons += "; ";
      const std::string why =
          pool.requirements.incompatibility(group.requirements, well_known_labels());
      if (placement::find_untolerated(pool.taints, group.sample->tolerations) != nullptr) {
        reasons += fmt::format("did not tolerate the taints of nodepool \"{}\"", pool.name);
      } else if (!why.empty()) {
        reasons += fmt::format("incompatible with nodepool \"{}\", {}", pool.name, why);
      } else {
        reasons += fmt::format("no instance type of nodepool \"{}\" has room within its limits",
                               pool.name);
      }
    }
    return reasons;
  }

  struct Bought {
    ResourceList capacity;
    std::int64_t nodes = 0;
  };

  const SolverInput& input_;
  std::vector<NodeState> nodes_;
  ZoneCounts zone_counts_;
  std::set<std::string> cloud_zones_, node_zones_;
  std::map<std::string, std::set<std::string>> zones_;  // by demand
  std::vector<PodGroup> groups_;
  std::map<std::string, Bought> bought_;  // by pool
  Solution solution_;
};

}  // namespace

bool has_room_for(const NodePool& pool, const SolverInput& cluster, const ResourceList& capacity) {
  return is_within_limits(pool, cluster, {}, 0, capacity);
}

Solution solve(const SolverInput& input) {
  return Solver(input).run();
}

}  // namespace keelway::provisioner
