#include "provisioner/packing.h"

#include <algorithm>

#include "provisioner/names.h"

namespace keelway::provisioner {
namespace {

using placement::Requirements;
using placement::ResourceList;

// A vCPU costs about as much as 9 GiB of memory in EC2's list prices, a device (GPU) about as
// much as 8 vCPU at the least.
constexpr std::int64_t milli_cpu_worth = 9;
constexpr std::int64_t gibibyte = 1 << 30;
constexpr std::int64_t device_worth = 8000 * milli_cpu_worth;
constexpr std::int64_t devices_max = 64;  // what is counted in more is no device

bool is_better(const Packing& a, const Packing& b) {
  const __int128 left = static_cast<__int128>(a.offering->price_micro_usd) * b.worth;
  const __int128 right = static_cast<__int128>(b.offering->price_micro_usd) * a.worth;
  if (left != right) return left < right;
  if (a.offering->price_micro_usd != b.offering->price_micro_usd) {
    return a.offering->price_micro_usd < b.offering->price_micro_usd;
  }
  return a.type->name < b.type->name;
}

bool is_cheaper(const Choice& a, const Choice& b) {
  if (a.offering->price_micro_usd != b.offering->price_micro_usd) {
    return a.offering->price_micro_usd < b.offering->price_micro_usd;
  }
  return a.type->name < b.type->name;
}

bool has_repelled(const PodGroup& group, const std::vector<std::size_t>& counts) {
  return std::any_of(group.repelled.begin(), group.repelled.end(),
                     [&counts](std::size_t other) { return counts[other] > 0; });
}

}  // namespace

std::int64_t worth(const ResourceList& list) {
  std::int64_t sum = list.milli_cpu * milli_cpu_worth + list.memory / (gibibyte / 1000) + list.pods;
  for (const auto& [name, amount] : list.others()) {
    if (name.find('/') != std::string::npos) sum += std::min(amount, devices_max) * device_worth;
  }
  return sum;
}

Packer::Packer(const NodePool& pool, const cloud::Catalogue& catalogue,
               const std::vector<PodGroup>& groups, std::vector<bool> suited)
    : pool_(pool), catalogue_(catalogue), groups_(groups), suited_(std::move(suited)) {
  number_requirements();
  find_candidates();
}

void Packer::number_requirements() {
  std::map<std::string_view, int> ids;
  requirement_ids_.assign(groups_.size(), -1);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const PodGroup& group = groups_[i];
    if (!suited_[i] || group.requirements_text.empty()) continue;
    const auto [found, fresh] =
        ids.try_emplace(group.requirements_text, static_cast<int>(by_id_.size()));
    if (fresh) by_id_.push_back(&group.requirements);
    requirement_ids_[i] = found->second;
    offers_differ_ = offers_differ_ || group.requirements.has(zone_label) ||
                     group.requirements.has(capacity_type_label);
  }
}

bool Packer::suits(const cloud::InstanceType& type, std::size_t group) {
  if (!suited_[group] || !groups_[group].sample->requests.fits_in(type.allocatable)) return false;
  const int id = requirement_ids_[group];
  if (id < 0) return true;
  if (!allows_type(*by_id_[id], type)) return false;
  const Joined& both = joined({id});
  return both.possible && offering_of(type, both.requirements) != nullptr;
}

// Whether the other type is at least as good in everything that a pod could want.
bool Packer::is_beaten(const Candidate& candidate, const Candidate& by) const {
  if (!candidate.type->allocatable.fits_in(by.type->allocatable) || by.suits != candidate.suits) {
    return false;
  }
  for (const auto& [name, amount] : pool_.limits) {
    if (by.type->capacity.get(name) > candidate.type->capacity.get(name)) return false;
  }
  if (!offers_differ_) return true;  // candidates come by price
  return std::all_of(candidate.type->offerings.begin(), candidate.type->offerings.end(),
                     [&by](const cloud::Offering& offering) {
                       const auto* other = by.type->find(offering.zone, offering.capacity_type);
                       return !offering.available ||
                              (other != nullptr && other->available &&
                               other->price_micro_usd <= offering.price_micro_usd);
                     });
}

void Packer::find_candidates() {
  std::vector<Candidate> all;
  for (const cloud::InstanceType& type : catalogue_.types()) {
    if (!allows_type(pool_.requirements, type)) continue;
    Candidate candidate{&type, offering_of(type, pool_.requirements), {}, worth(type.allocatable)};
    if (candidate.offering == nullptr) continue;
    bool any = false;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      candidate.suits.push_back(suits(type, i));
      any = any || candidate.suits.back();
    }
    if (any) all.push_back(std::move(candidate));
  }
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return is_cheaper({a.type, a.offering}, {b.type, b.offering});
  });
  for (Candidate& candidate : all) {
    const bool beaten =
        std::any_of(candidates_.begin(), candidates_.end(),
                    [&](const Candidate& other) { return is_beaten(candidate, other); });
    if (!beaten) candidates_.push_back(std::move(candidate));
  }
  std::stable_sort(candidates_.begin(), candidates_.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return static_cast<__int128>(a.offering->price_micro_usd) * b.worth_max <
                            static_cast<__int128>(b.offering->price_micro_usd) * a.worth_max;
                   });
}

void Packer::find_live_groups() {
  live_.clear();
  least_cpu_ = least_memory_ = INT64_MAX;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (!suited_[i] || groups_[i].pods.empty()) continue;
    live_.push_back(i);
    least_cpu_ = std::min(least_cpu_, groups_[i].sample->requests.milli_cpu);
    least_memory_ = std::min(least_memory_, groups_[i].sample->requests.memory);
  }
}

Packer::Joined& Packer::joined(const std::vector<int>& ids) {
  const auto [found, fresh] = joined_.try_emplace(ids);
  Joined& entry = found->second;
  if (!fresh) return entry;
  if (ids.empty()) {
    entry.requirements = pool_.requirements;
    return entry;
  }
  const Joined& before = joined({ids.begin(), ids.end() - 1});
  entry.requirements = before.requirements;
  const Requirements& more = *by_id_[ids.back()];
  entry.possible = before.possible && entry.requirements.compatible(more, well_known_labels());
  if (entry.possible) entry.requirements.add(more);
  return entry;
}

const Requirements& Packer::requirements(const Packing& packing) {
  return joined(packing.narrowing).requirements;
}

// Takes the group's requirements into the packing's; false where they exclude each other.
bool Packer::narrow(Packing& packing, std::size_t group) {
  const int id = requirement_ids_[group];
  if (id < 0 || std::find(packing.narrowing.begin(), packing.narrowing.end(), id) !=
                    packing.narrowing.end()) {
    return true;
  }
  packing.narrowing.push_back(id);
  const Joined& both = joined(packing.narrowing);
  const cloud::Offering* offering =
      both.possible ? offering_of(*packing.type, both.requirements) : nullptr;
  if (offering == nullptr) {
    packing.narrowing.pop_back();
    return false;
  }
  packing.offering = offering;
  return true;
}

// First fit, largest first: groups come sorted by size.
Packing Packer::pack(const Candidate& candidate) {
  Packing packed{.type = candidate.type,
                 .offering = candidate.offering,
                 .counts = std::vector<std::size_t>(groups_.size()),
                 .narrowing = {},
                 .requests = {},
                 .worth = 0};
  ResourceList free = candidate.type->allocatable;
  for (const std::size_t i : live_) {
    const PodGroup& group = groups_[i];
    if (free.milli_cpu < least_cpu_ || free.memory < least_memory_ || free.pods < 1) break;
    if (!candidate.suits[i]) continue;
    const ResourceList& requests = group.sample->requests;
    if (!requests.fits_in(free) || has_repelled(group, packed.counts)) continue;
    if (!narrow(packed, i)) continue;
    const std::size_t most = std::min(group.pods.size(), group.per_node_max);
    while (packed.counts[i] < most && requests.fits_in(free)) {
      free.subtract(requests);
      ++packed.counts[i];
    }
    packed.requests.add(requests, static_cast<int>(packed.counts[i]));
    packed.worth += worth(requests) * static_cast<std::int64_t>(packed.counts[i]);
  }
  return packed;
}

Packing Packer::best(const std::function<bool(const cloud::InstanceType&)>& is_within_limits) {
  find_live_groups();
  Packing best;
  for (const Candidate& candidate : candidates_) {
    // Not even a full one is as good as the best so far; nor are those that follow.
    if (best.worth > 0 &&
        static_cast<__int128>(candidate.offering->price_micro_usd) * best.worth >
            static_cast<__int128>(best.offering->price_micro_usd) * candidate.worth_max) {
      break;
    }
    if (!is_within_limits(*candidate.type)) continue;
    Packing packed = pack(candidate);
    if (packed.worth > 0 && (best.worth == 0 || is_better(packed, best))) best = std::move(packed);
  }
  return best;
}

std::vector<Choice> Packer::alternatives(const Packing& packing, std::size_t most) {
  Joined& both = joined(packing.narrowing);
  if (!both.has_offers) {
    both.has_offers = true;
    for (const cloud::InstanceType& type : catalogue_.types()) {
      if (!allows_type(both.requirements, type)) continue;
      const cloud::Offering* offering = offering_of(type, both.requirements);
      if (offering != nullptr) both.offers.push_back({&type, offering});
    }
    std::sort(both.offers.begin(), both.offers.end(), is_cheaper);
  }
  std::vector<Choice> fitting;
  for (const Choice& choice : both.offers) {
    if (fitting.size() == most) break;
    if (!packing.requests.fits_in(choice.type->allocatable)) continue;
    // What was found to be within the limits is this type; others may take no more of them.
    const bool within = std::all_of(pool_.limits.begin(), pool_.limits.end(), [&](const auto& l) {
      return choice.type->capacity.get(l.first) <= packing.type->capacity.get(l.first);
    });
    if (within) fitting.push_back(choice);
  }
  return fitting;
}

}  // namespace keelway::provisioner
