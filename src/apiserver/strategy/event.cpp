#include "apiserver/strategy/event.h"

#include <array>
#include <string>
#include <utility>

namespace keelway::apiserver {
namespace {

// Names in core/v1 and in events.k8s.io/v1; all other fields are called the same.
constexpr std::array<std::pair<const char*, const char*>, 7> kNames = {{
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
}};

void rename(value::Value& object, std::string_view from, std::string_view to) {
  if (const value::Value* found = object.find(from)) {
    value::Value moved = *found;
    object.erase(from);
    object.set(to, std::move(moved));
  }
}

}  // namespace

value::Value event_from_core(const value::Value& core) {
  value::Value event = core;
  for (const auto& [old_name, new_name] : kNames) rename(event, old_name, new_name);
  return event;
}

value::Value event_to_core(const value::Value& event) {
  value::Value core = event;
  for (const auto& [old_name, new_name] : kNames) rename(core, new_name, old_name);
  return core;
}

}  // namespace keelway::apiserver
