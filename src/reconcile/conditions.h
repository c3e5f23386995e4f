// status.conditions of any kind.
#pragma once

#include <string_view>

#include "base/time.h"
#include "value/value.h"

namespace keelway::reconcile {

struct Condition {
  std::string_view type, status, reason, message;
};

// Sets or adds it; lastTransitionTime moves only when `status` changes. True if anything changed.
bool set_condition(value::Value& conditions, const Condition& condition, base::WallTime now);
// The same with observedGeneration.
bool set_condition(value::Value& conditions, const Condition& condition, base::WallTime now,
                   std::int64_t observed_generation);
bool remove_condition(value::Value& conditions, std::string_view type);
// Null where absent.
const value::Value& find_condition(const value::Value& conditions, std::string_view type);
bool is_condition_true(const value::Value& conditions, std::string_view type);

}  // namespace keelway::reconcile
