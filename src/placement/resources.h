// Amounts of resources: what pods ask for and nodes have. Pure arithmetic on integers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "value/value.h"

namespace keelway::placement {

using Amount = std::int64_t;

// A resource.Quantity as an integer, rounded up as upstream does. nullopt: it is no quantity.
std::optional<Amount> parse_amount(std::string_view text, bool milli);

// Amounts by resource name. "cpu" counts in millicores, everything else in units (bytes, pieces).
// Absent names read as 0.
class ResourceList {
 public:
  Amount milli_cpu = 0, memory = 0, ephemeral_storage = 0, pods = 0;

  // A v1.ResourceList document; amounts that do not parse read as 0.
  static ResourceList read(const value::Value& document);

  Amount get(std::string_view name) const;
  void set(std::string_view name, Amount amount);
  void add(const ResourceList& other, int times = 1);
  void subtract(const ResourceList& other) { add(other, -1); }
  void raise_to(const ResourceList& other);  // the larger amount of each name
  // Every amount asked for (> 0) is at most what `free` has.
  bool fits_in(const ResourceList& free) const;
  bool is_zero() const;
  // cpu, memory, ephemeral-storage, pods, then the others by name; zero amounts are left out.
  void for_each(const std::function<void(std::string_view, Amount)>& visit) const;
  // A v1.ResourceList document: "1500m", "1Gi".
  value::Value to_value() const;
  const std::vector<std::pair<std::string, Amount>>& others() const { return others_; }

  friend bool operator==(const ResourceList&, const ResourceList&) = default;

 private:
  std::vector<std::pair<std::string, Amount>> others_;  // sorted by name
};

// What a pod takes on its node: the larger of what its containers (with sidecars) and each init
// container (with the sidecars before it) ask for, plus overhead. `pods` is 1.
ResourceList pod_requests(const value::Value& pod);

// "1500m", "2"; "1Gi", "500": the canonical text of an amount of that resource.
std::string format_amount(std::string_view resource, Amount amount);

}  // namespace keelway::placement
