#include "provisioner/offers.h"

#include <algorithm>
#include <tuple>

#include "provisioner/names.h"

namespace keelway::provisioner {
namespace {

constexpr std::string_view instance_property = "karpenter.k8s.aws/instance-";

bool is_before(const Choice& a, const Choice& b) {
  return std::tie(a.offering->price_micro_usd, a.type->name, a.offering->zone,
                  a.offering->capacity_type) < std::tie(b.offering->price_micro_usd, b.type->name,
                                                        b.offering->zone,
                                                        b.offering->capacity_type);
}

template <class Visit>
void for_each_type(const placement::Requirements& requirements,
                   const placement::ResourceList& requests, const cloud::Catalogue& catalogue,
                   const Visit& visit) {
  const auto consider = [&](const cloud::InstanceType& type) {
    if (requests.fits_in(type.allocatable) && allows_type(requirements, type)) visit(type);
  };
  const placement::ValueSet& names = requirements.get(instance_type_label);
  if (!names.is_finite()) {
    for (const cloud::InstanceType& type : catalogue.types()) consider(type);
    return;
  }
  const std::vector<std::string> values = names.values();
  for (const std::string& name : values) {
    if (const cloud::InstanceType* type = catalogue.find(name)) consider(*type);
  }
}

}  // namespace

bool allows_type(const placement::Requirements& requirements, const cloud::InstanceType& type) {
  for (const auto& [key, set] : requirements.sets()) {
    if (const std::string* text = type.labels.find(key)) {
      if (!set.has(*text)) return false;
    } else if (std::string_view(key).starts_with(instance_property) && !set.allows_absence()) {
      return false;
    }
  }
  return true;
}

const cloud::Offering* offering_of(const cloud::InstanceType& type,
                                   const placement::Requirements& requirements) {
  const placement::ValueSet& zones = requirements.get(zone_label);
  const placement::ValueSet& capacity_types = requirements.get(capacity_type_label);
  for (const cloud::Offering& offering : type.offerings) {
    if (offering.available && zones.has(offering.zone) &&
        capacity_types.has(offering.capacity_type)) {
      return &offering;
    }
  }
  return nullptr;
}

std::vector<Choice> choices(const placement::Requirements& requirements,
                            const placement::ResourceList& requests,
                            const cloud::Catalogue& catalogue) {
  const placement::ValueSet& zones = requirements.get(zone_label);
  const placement::ValueSet& capacity_types = requirements.get(capacity_type_label);
  std::vector<Choice> found;
  for_each_type(requirements, requests, catalogue, [&](const cloud::InstanceType& type) {
    for (const cloud::Offering& offering : type.offerings) {
      if (offering.available && zones.has(offering.zone) &&
          capacity_types.has(offering.capacity_type)) {
        found.push_back({&type, &offering});
      }
    }
  });
  std::sort(found.begin(), found.end(), is_before);
  return found;
}

Choice cheapest_choice(const placement::Requirements& requirements,
                       const placement::ResourceList& requests, const cloud::Catalogue& catalogue) {
  Choice best;
  for_each_type(requirements, requests, catalogue, [&](const cloud::InstanceType& type) {
    const Choice choice{&type, offering_of(type, requirements)};
    if (choice.offering == nullptr) return;
    if (best.offering == nullptr || is_before(choice, best)) best = choice;
  });
  return best;
}

placement::ResourceList most_capacity(const placement::Requirements& requirements,
                                      const placement::ResourceList& requests,
                                      const cloud::Catalogue& catalogue) {
  placement::ResourceList most;
  for_each_type(requirements, requests, catalogue, [&](const cloud::InstanceType& type) {
    type.capacity.for_each([&](std::string_view name, placement::Amount amount) {
      if (amount > most.get(name)) most.set(name, amount);
    });
  });
  return most;
}

}  // namespace keelway::provisioner
