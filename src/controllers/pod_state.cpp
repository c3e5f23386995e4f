#include "controllers/pod_state.h"

#include <algorithm>
#include <charconv>

namespace keelway::controllers {
namespace {

std::int64_t read_integer(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

base::WallTime read_time(const value::Value& text) {
  return base::parse_rfc3339(text.as_string()).value_or(base::WallTime{});
}

}  // namespace

PodState read_pod_state(client::ObjectPtr object) {
  const value::Value pod = object->value();
  const value::Value& metadata = pod["metadata"];
  const value::Value& status = pod["status"];
  PodState state;
  state.node = pod.at("spec", "nodeName").as_string();
  state.phase = status["phase"].string_or("Pending");
  state.active = state.phase != "Succeeded" && state.phase != "Failed" && !object->deleting();
  state.created = read_time(metadata["creationTimestamp"]);
  state.deletion_cost = read_integer(
      metadata.at("annotations", "controller.kubernetes.io/pod-deletion-cost").as_string());
  for (const value::Value& condition : status["conditions"].items()) {
    if (condition["type"].as_string() != "Ready") continue;
    state.ready = condition["status"].as_string() == "True";
    state.ready_since = read_time(condition["lastTransitionTime"]);
  }
  for (const value::Value& container : status["containerStatuses"].items()) {
    state.restarts = std::max(state.restarts, container["restartCount"].as_int());
  }
  state.object = std::move(object);
  return state;
}

PodState& PodStates::read(const client::ObjectPtr& object) {
  auto found = states_.find(object->uid());
  if (found == states_.end()) found = states_.try_emplace(std::string(object->uid())).first;
  PodState& state = found->second;
  if (!state.object || state.object->revision() != object->revision()) {
    state = read_pod_state(object);
  }
  return state;
}

bool PodState::available(std::int64_t min_ready_seconds, base::WallTime now,
                         std::optional<base::Duration>* left) const {
  if (!ready) return false;
  if (min_ready_seconds <= 0) return true;
  const base::WallTime from = ready_since + std::chrono::seconds(min_ready_seconds);
  if (from <= now) return true;
  if (left != nullptr) *left = std::min(left->value_or(from - now), from - now);
  return false;
}

std::int64_t resolve_percent(const value::Value& int_or_percent, std::int64_t total,
                             bool round_up) {
  if (int_or_percent.is_int()) return std::max<std::int64_t>(int_or_percent.as_int(), 0);
  const std::string& text = int_or_percent.as_string();
  if (!text.ends_with('%')) return std::max<std::int64_t>(read_integer(text), 0);
  const std::int64_t hundredfold = std::max<std::int64_t>(read_integer(text), 0) * total;
  return (hundredfold + (round_up ? 99 : 0)) / 100;
}

}  // namespace keelway::controllers
