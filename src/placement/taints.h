// Taints of nodes and the pods that stand them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "value/value.h"

namespace keelway::placement {

enum class Effect { no_schedule, prefer_no_schedule, no_execute };

struct Taint {
  std::string key, value;
  Effect effect = Effect::no_schedule;
  friend bool operator==(const Taint&, const Taint&) = default;
};

struct Toleration {
  std::string key;      // empty with `exists`: every key
  bool exists = false;  // operator Exists; else Equal
  std::string value;
  std::optional<Effect> effect;  // none: every effect
  std::optional<std::int64_t> seconds;
};

std::vector<Taint> read_taints(const value::Value& array);
std::vector<Toleration> read_tolerations(const value::Value& array);
value::Value to_value(const Taint& taint);
std::string_view to_text(Effect effect);

bool tolerates(const Toleration& toleration, const Taint& taint);
bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint);
// The first taint that keeps a pod out (NoSchedule, NoExecute), or null.
const Taint* find_untolerated(const std::vector<Taint>& taints,
                              const std::vector<Toleration>& tolerations);
int count_untolerated_preferences(const std::vector<Taint>& taints,
                                  const std::vector<Toleration>& tolerations);

// How long a pod may stay on a node with these NoExecute taints: nullopt for ever, 0 not at all.
// As upstream, the shortest tolerationSeconds of the tolerations that are used counts.
std::optional<std::int64_t> seconds_until_eviction(const std::vector<Taint>& taints,
                                                   const std::vector<Toleration>& tolerations);

}  // namespace keelway::placement
