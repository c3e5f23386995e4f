// What requirements leave of a catalogue: types, offerings, prices.
#pragma once

#include <vector>

#include "cloud/cloud.h"

namespace keelway::provisioner {

// The type's labels satisfy the requirements. What only an offering knows (zone, capacity type)
// and what the type says nothing of (labels of a pool) does not count; of an instance's own
// properties an absent one is absent: a type without GPUs has no GPU name.
bool allows_type(const placement::Requirements& requirements, const cloud::InstanceType& type);

// The cheapest available offering that the requirements allow; null where there is none.
const cloud::Offering* offering_of(const cloud::InstanceType& type,
                                   const placement::Requirements& requirements);

struct Choice {
  const cloud::InstanceType* type = nullptr;
  const cloud::Offering* offering = nullptr;
};
// Every available offering of the types that requirements and requests allow: by price, then by
// type and zone.
std::vector<Choice> choices(const placement::Requirements& requirements,
                            const placement::ResourceList& requests,
                            const cloud::Catalogue& catalogue);
// The first of them; nothing where there is none.
Choice cheapest_choice(const placement::Requirements& requirements,
                       const placement::ResourceList& requests, const cloud::Catalogue& catalogue);

// Of each resource the most that one of the types has.
placement::ResourceList most_capacity(const placement::Requirements& requirements,
                                      const placement::ResourceList& requests,
                                      const cloud::Catalogue& catalogue);

}  // namespace keelway::provisioner
