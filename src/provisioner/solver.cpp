#include "provisioner/solver.h"

#include <fmt/core.h>

#include <algorithm>

#include "placement/fit.h"
#include "provisioner/names.h"

namespace keelway::provisioner {
namespace {

using placement::PodInfo;
using placement::PodInfoPtr;
using placement::Requirements;
using placement::ResourceList;
using placement::ValueSet;

// What a unit of a resource is worth when types are compared: a vCPU costs about as much as
// 9 GiB of memory in EC2's list prices.
constexpr std::int64_t milli_cpu_worth = 9;
constexpr std::int64_t gibibyte = 1 << 30;

std::int64_t worth(const ResourceList& list) {
  return list.milli_cpu * milli_cpu_worth + list.memory / (gibibyte / 1000) + list.pods;
}

// Pods that ask for the same of a node.
struct Group {
  PodInfoPtr sample;
  Requirements requirements;
  std::size_t per_node_max = SIZE_MAX;  // spread over host names, anti-affinity to itself
  std::vector<PodInfoPtr> pods;
};

bool selects_itself(const value::LabelSelector& selector, const PodInfo& pod) {
  return selector.matches(pod.labels.pairs());
}

std::size_t per_node_max(const PodInfo& pod) {
  std::size_t most = SIZE_MAX;
  for (const placement::SpreadConstraint& spread : pod.spread) {
    if (spread.hard && spread.topology_key == hostname_label &&
        selects_itself(spread.selector, pod)) {
      most = std::min<std::size_t>(most, spread.max_skew);
    }
  }
  for (const placement::PodTerm& term : pod.anti_affinity.required) {
    if (term.topology_key == hostname_label && term.selects(pod.name_space, pod.labels)) most = 1;
  }
  return most;
}

// Equal text: the same demand. Only parts that decide placement are in it.
std::string demand_of(const PodInfo& pod) {
  std::string text = pod.node_affinity.required_text;
  for (const auto& [key, label] : pod.node_affinity.node_selector.pairs()) {
    text += fmt::format("|{}={}", key, label);
  }
  pod.requests.for_each([&text](std::string_view name, placement::Amount amount) {
    text += fmt::format("|{}:{}", name, amount);
  });
  for (const placement::Toleration& t : pod.tolerations) {
    text += fmt::format("|t{}{}{}{}", t.key, t.exists, t.value,
                        t.effect ? static_cast<int>(*t.effect) : -1);
  }
  if (!pod.spread.empty() || !pod.anti_affinity.required.empty()) {
    text += "|" + pod.name_space;
    for (const auto& [key, label] : pod.labels.pairs()) text += fmt::format("|l{}={}", key, label);
  }
  return text;
}

const placement::SpreadConstraint* zone_spread(const PodInfo& pod) {
  for (const placement::SpreadConstraint& spread : pod.spread) {
    if (spread.hard && spread.topology_key == zone_label && selects_itself(spread.selector, pod)) {
      return &spread;
    }
  }
  return nullptr;
}

// One pass of solve().
class Solver {
 public:
  explicit Solver(const SolverInput& input) : input_(input), nodes_(input.nodes) {
    for (const cloud::InstanceType& type : input.catalogue->types()) {
      for (const cloud::Offering& offering : type.offerings) zones_.insert(offering.zone);
    }
  }

  Solution run() {
    std::vector<PodInfoPtr> left = place_on_nodes(sorted(input_.pending));
    std::vector<Group> groups = group(left);
    for (const NodePool& pool : input_.pools) buy_from(pool, groups);
    for (const Group& group : groups) {
      for (const PodInfoPtr& pod : group.pods) {
        solution_.impossible.emplace_back(pod, reason_for(group));
      }
    }
    return std::move(solution_);
  }

 private:
  // A type that the pool allows, and which groups it suits.
  struct Candidate {
    const cloud::InstanceType* type = nullptr;
    const cloud::Offering* offering = nullptr;  // the cheapest that the pool allows
    std::vector<bool> suits;                    // by group
  };
  struct Packing {
    const cloud::InstanceType* type = nullptr;
    const cloud::Offering* offering = nullptr;
    std::vector<std::size_t> counts;  // by group
    ResourceList requests;
    std::int64_t worth = 0;
    Requirements requirements;
  };

  static std::vector<PodInfoPtr> sorted(std::vector<PodInfoPtr> pods) {
    std::stable_sort(pods.begin(), pods.end(), [](const PodInfoPtr& a, const PodInfoPtr& b) {
      if (const auto x = worth(a->requests), y = worth(b->requests); x != y) return x > y;
      return a->uid < b->uid;
    });
    return pods;
  }

  // What fits where there is room already, now or soon, needs no new node.
  std::vector<PodInfoPtr> place_on_nodes(std::vector<PodInfoPtr> pods) {
    std::vector<PodInfoPtr> left;
    for (PodInfoPtr& pod : pods) {
      const std::size_t most = per_node_max(*pod);
      placement::NodeState* home = nullptr;
      for (placement::NodeState& node : nodes_) {
        if (node.unschedulable || node.deleting || !placement::fits_quick(*pod, node)) continue;
        if (most != SIZE_MAX && siblings_on(node, *pod) >= most) continue;
        home = &node;
        break;
      }
      if (home != nullptr && zone_spread(*pod) == nullptr)
        home->add(pod);
      else
        left.push_back(std::move(pod));
    }
    return left;
  }

  static std::size_t siblings_on(const placement::NodeState& node, const PodInfo& pod) {
    return std::count_if(node.pods.begin(), node.pods.end(), [&pod](const PodInfoPtr& other) {
      return other->name_space == pod.name_space && other->labels == pod.labels;
    });
  }

  std::vector<Group> group(const std::vector<PodInfoPtr>& pods) {
    std::map<std::string, std::size_t> by_demand;
    std::map<std::string, std::map<std::string, std::int64_t>> zone_counts;
    std::vector<Group> groups;
    for (const PodInfoPtr& pod : pods) {
      std::string demand = demand_of(*pod);
      Requirements requirements = Requirements::of_pod(pod->node_affinity);
      if (zone_spread(*pod) != nullptr) {
        const std::string zone = least_used_zone(*pod, requirements, zone_counts[demand]);
        requirements.add(std::string(zone_label), ValueSet::only({zone}));
        demand += "|zone " + zone;
      }
      const auto [found, fresh] = by_demand.try_emplace(demand, groups.size());
      if (fresh) groups.push_back({pod, std::move(requirements), per_node_max(*pod), {}});
      groups[found->second].pods.push_back(pod);
    }
    return groups;
  }

  // Hard spread over zones: each pod goes to the allowed zone with the fewest of its kind.
  std::string least_used_zone(const PodInfo& pod, const Requirements& requirements,
                              std::map<std::string, std::int64_t>& counts) {
    if (counts.empty()) {
      for (const std::string& zone : zones_) counts[zone] = 0;
      for (const placement::NodeState& node : nodes_) {
        const auto zone = counts.find(std::string(node.labels.get(zone_label)));
        if (zone == counts.end()) continue;
        zone->second += static_cast<std::int64_t>(siblings_on(node, pod));
      }
    }
    auto best = counts.end();
    for (auto it = counts.begin(); it != counts.end(); ++it) {
      if (!requirements.get(zone_label).has(it->first)) continue;
      if (best == counts.end() || it->second < best->second) best = it;
    }
    if (best == counts.end()) return zones_.empty() ? "" : *zones_.begin();
    ++best->second;
    return best->first;
  }

  bool suits(const NodePool& pool, const Group& group) const {
    return placement::find_untolerated(pool.taints, group.sample->tolerations) == nullptr &&
           pool.requirements.compatible(group.requirements, well_known_labels());
  }

  void buy_from(const NodePool& pool, std::vector<Group>& groups) {
    std::vector<Group*> suited;
    for (Group& group : groups) {
      if (suits(pool, group)) suited.push_back(&group);
    }
    if (suited.empty()) return;
    const std::vector<Candidate> candidates = candidates_of(pool, suited);
    while (true) {
      Packing best;
      for (const Candidate& candidate : candidates) {
        if (!within_limits(pool, *candidate.type)) continue;
        Packing packed = pack(pool, candidate, suited);
        if (packed.worth > 0 && (best.worth == 0 || is_better(packed, best))) {
          best = std::move(packed);
        }
      }
      if (best.worth == 0) return;
      take(pool, best, suited);
    }
  }

  // By price; those that another one beats in everything are left out.
  std::vector<Candidate> candidates_of(const NodePool& pool,
                                       const std::vector<Group*>& groups) const {
    std::vector<Candidate> all;
    for (const cloud::InstanceType& type : input_.catalogue->types()) {
      const Requirements of_type = Requirements::of_labels(type.labels);
      if (!pool.requirements.compatible(of_type, well_known_labels())) continue;
      Candidate candidate{&type, offering_of(type, pool.requirements), {}};
      if (candidate.offering == nullptr) continue;
      for (const Group* group : groups) {
        candidate.suits.push_back(group->requirements.sets().empty() ||
                                  of_type.compatible(group->requirements, well_known_here(pool)));
      }
      all.push_back(std::move(candidate));
    }
    std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
      if (a.offering->price_micro_usd != b.offering->price_micro_usd) {
        return a.offering->price_micro_usd < b.offering->price_micro_usd;
      }
      return a.type->name < b.type->name;
    });
    std::vector<Candidate> kept;
    for (Candidate& candidate : all) {
      const bool beaten = std::any_of(kept.begin(), kept.end(), [&](const Candidate& other) {
        return candidate.type->allocatable.fits_in(other.type->allocatable) &&
               (other.suits == candidate.suits);
      });
      if (!beaten) kept.push_back(std::move(candidate));
    }
    return kept;
  }

  // What a pool's template labels provide, a type need not.
  static std::set<std::string, std::less<>> well_known_here(const NodePool& pool) {
    std::set<std::string, std::less<>> known = well_known_labels();
    for (const auto& [key, set] : pool.requirements.sets()) known.insert(key);
    return known;
  }

  bool within_limits(const NodePool& pool, const cloud::InstanceType& type) {
    const auto count = input_.node_counts.find(pool.name);
    const std::int64_t nodes =
        (count != input_.node_counts.end() ? count->second : 0) + bought_[pool.name].second;
    if (pool.node_limit && nodes + 1 > *pool.node_limit) return false;
    if (!pool.limits) return true;
    ResourceList wanted = bought_[pool.name].first;
    if (const auto used = input_.used.find(pool.name); used != input_.used.end()) {
      wanted.add(used->second);
    }
    wanted.add(type.capacity);
    // Only what the limits name is limited.
    bool within = true;
    wanted.for_each([&](std::string_view name, placement::Amount amount) {
      const placement::Amount limit = pool.limits->get(name);
      if (limit > 0 && amount > limit) within = false;
    });
    return within;
  }

  // First fit, largest first: groups come sorted by size.
  Packing pack(const NodePool& pool, const Candidate& candidate,
               const std::vector<Group*>& groups) const {
    Packing packed{.type = candidate.type,
                   .offering = candidate.offering,
                   .counts = std::vector<std::size_t>(groups.size()),
                   .requests = {},
                   .worth = 0,
                   .requirements = pool.requirements};
    ResourceList free = candidate.type->allocatable;
    bool narrowed = false;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const Group& group = *groups[i];
      if (!candidate.suits[i] || group.pods.empty()) continue;
      if (!group.sample->requests.fits_in(free)) continue;
      if (!group.requirements.sets().empty()) {
        if (!packed.requirements.intersects(group.requirements)) continue;
        Requirements joined = packed.requirements;
        joined.add(group.requirements);
        if (offering_of(*candidate.type, joined) == nullptr) continue;
        packed.requirements = std::move(joined);
        narrowed = true;
      }
      const std::size_t most = std::min(group.pods.size(), group.per_node_max);
      while (packed.counts[i] < most && group.sample->requests.fits_in(free)) {
        free.subtract(group.sample->requests);
        packed.requests.add(group.sample->requests);
        ++packed.counts[i];
      }
      packed.worth += worth(group.sample->requests) * static_cast<std::int64_t>(packed.counts[i]);
    }
    if (narrowed) packed.offering = offering_of(*candidate.type, packed.requirements);
    return packed;
  }

  static const cloud::Offering* offering_of(const cloud::InstanceType& type,
                                            const Requirements& requirements) {
    for (const cloud::Offering& offering : type.offerings) {
      if (offering.available && requirements.get(zone_label).has(offering.zone) &&
          requirements.get(capacity_type_label).has(offering.capacity_type)) {
        return &offering;
      }
    }
    return nullptr;
  }

  // The lower price for what it takes in; between equals the cheaper node, then the name.
  static bool is_better(const Packing& a, const Packing& b) {
    const __int128 left = static_cast<__int128>(a.offering->price_micro_usd) * b.worth;
    const __int128 right = static_cast<__int128>(b.offering->price_micro_usd) * a.worth;
    if (left != right) return left < right;
    if (a.offering->price_micro_usd != b.offering->price_micro_usd) {
      return a.offering->price_micro_usd < b.offering->price_micro_usd;
    }
    return a.type->name < b.type->name;
  }

  void take(const NodePool& pool, const Packing& best, std::vector<Group*>& groups) {
    PlannedNode node;
    node.pool = pool.name;
    node.requirements = best.requirements;
    node.requests = best.requests;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      auto& pods = groups[i]->pods;
      for (std::size_t n = 0; n < best.counts[i]; ++n) {
        node.pods.push_back(std::move(pods.back()));
        pods.pop_back();
      }
    }
    node.instance_type = best.type->name;
    node.price_micro_usd = best.offering->price_micro_usd;
    allow_types(node);
    bought_[pool.name].first.add(best.type->capacity);
    ++bought_[pool.name].second;
    solution_.nodes.push_back(std::move(node));
  }

  // Every type that could hold the same pods, so that a launch has somewhere to go when the best
  // one has no capacity left.
  void allow_types(PlannedNode& node) const {
    std::vector<std::pair<std::int64_t, std::string>> fitting;
    for (const cloud::InstanceType& type : input_.catalogue->types()) {
      if (!node.requests.fits_in(type.allocatable)) continue;
      const Requirements of_type = Requirements::of_labels(type.labels);
      if (!node.requirements.compatible(of_type, well_known_labels())) continue;
      if (const cloud::Offering* offering = offering_of(type, node.requirements)) {
        fitting.emplace_back(offering->price_micro_usd, type.name);
      }
    }
    std::sort(fitting.begin(), fitting.end());
    if (fitting.size() > instance_types_max) fitting.resize(instance_types_max);
    std::vector<std::string> names;
    for (auto& [price, name] : fitting) names.push_back(std::move(name));
    node.requirements.add(std::string(instance_type_label), ValueSet::only(std::move(names)));
  }

  std::string reason_for(const Group& group) const {
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

  const SolverInput& input_;
  std::vector<placement::NodeState> nodes_;
  std::set<std::string> zones_;
  std::map<std::string, std::pair<ResourceList, std::int64_t>> bought_;
  Solution solution_;
};

}  // namespace

Solution solve(const SolverInput& input) {
  return Solver(input).run();
}

Choice cheapest_choice(const placement::Requirements& requirements,
                       const placement::ResourceList& requests, const cloud::Catalogue& catalogue) {
  Choice best;
  const auto consider = [&](const cloud::InstanceType& type) {
    if (!requests.fits_in(type.allocatable)) return;
    if (!requirements.compatible(Requirements::of_labels(type.labels), well_known_labels())) return;
    for (const cloud::Offering& offering : type.offerings) {
      if (!offering.available || !requirements.get(zone_label).has(offering.zone) ||
          !requirements.get(capacity_type_label).has(offering.capacity_type)) {
        continue;
      }
      if (best.offering == nullptr || offering.price_micro_usd < best.offering->price_micro_usd) {
        best = {&type, &offering};
      }
      return;
    }
  };
  const ValueSet& names = requirements.get(instance_type_label);
  if (names.is_finite()) {
    for (const std::string& name : names.values()) {
      if (const cloud::InstanceType* type = catalogue.find(name)) consider(*type);
    }
  } else {
    for (const cloud::InstanceType& type : catalogue.types()) consider(type);
  }
  return best;
}

}  // namespace keelway::provisioner
