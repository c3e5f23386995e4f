#include "kinds/events.h"

#include <array>
#include <string_view>
#include <utility>

namespace keelway::kinds {
namespace {

using value::Value;

// v1, events.k8s.io/v1
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> names = {{
    {"count", "deprecatedCount"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"involvedObject", "regarding"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"message", "note"},
    {"reportingComponent", "reportingController"},
    {"source", "deprecatedSource"},
}};

void rename(Value& object, std::string_view from, std::string_view to) {
  const Value* found = object.find(from);
  if (found == nullptr) return;
  Value moved = *found;
  object.erase(from);
  object.set(to, std::move(moved));
}

}  // namespace

Value to_regarding_event(const Value& core_event) {
  Value out = core_event;
  for (const auto& [core, regarding] : names) rename(out, core, regarding);
  return out.set("apiVersion", "events.k8s.io/v1");
}

Value to_core_event(const Value& regarding_event) {
  Value out = regarding_event;
  for (const auto& [core, regarding] : names) rename(out, regarding, core);
  return out.set("apiVersion", "v1");
}

}  // namespace keelway::kinds
