#include "placement/taints.h"

#include <algorithm>

namespace keelway::placement {
namespace {

std::optional<Effect> read_effect(const std::string& text) {
  if (text == "NoSchedule") return Effect::no_schedule;
  if (text == "PreferNoSchedule") return Effect::prefer_no_schedule;
  if (text == "NoExecute") return Effect::no_execute;
  return std::nullopt;
}

}  // namespace

std::vector<Taint> read_taints(const value::Value& array) {
  std::vector<Taint> taints;
  for (const value::Value& item : array.items()) {
    const std::optional<Effect> effect = read_effect(item["effect"].as_string());
    if (!effect) continue;
    taints.push_back({item["key"].as_string(), item["value"].as_string(), *effect});
  }
  return taints;
}

std::vector<Toleration> read_tolerations(const value::Value& array) {
  std::vector<Toleration> tolerations;
  for (const value::Value& item : array.items()) {
    Toleration toleration;
    toleration.key = item["key"].as_string();
    toleration.exists = item["operator"].as_string() == "Exists";
    toleration.value = item["value"].as_string();
    toleration.effect = read_effect(item["effect"].as_string());
    if (item["tolerationSeconds"].is_int()) {
      toleration.seconds = item["tolerationSeconds"].as_int();
    }
    tolerations.push_back(std::move(toleration));
  }
  return tolerations;
}

std::string_view to_text(Effect effect) {
  switch (effect) {
    case Effect::no_schedule:
      return "NoSchedule";
    case Effect::prefer_no_schedule:
      return "PreferNoSchedule";
    case Effect::no_execute:
      return "NoExecute";
  }
  return "NoSchedule";
}

value::Value to_value(const Taint& taint) {
  value::Value document =
      value::Value::object({{"key", taint.key}, {"effect", to_text(taint.effect)}});
  if (!taint.value.empty()) document.set("value", taint.value);
  return document;
}

bool tolerates(const Toleration& toleration, const Taint& taint) {
  if (toleration.effect && *toleration.effect != taint.effect) return false;
  if (toleration.key.empty()) return toleration.exists;
  if (toleration.key != taint.key) return false;
  return toleration.exists || toleration.value == taint.value;
}

bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint) {
  return std::any_of(tolerations.begin(), tolerations.end(),
                     [&](const Toleration& t) { return tolerates(t, taint); });
}

const Taint* find_untolerated(const std::vector<Taint>& taints,
                              const std::vector<Toleration>& tolerations) {
  for (const Taint& taint : taints) {
    if (taint.effect == Effect::prefer_no_schedule) continue;
    if (!tolerates(tolerations, taint)) return &taint;
  }
  return nullptr;
}

int count_untolerated_preferences(const std::vector<Taint>& taints,
                                  const std::vector<Toleration>& tolerations) {
  int count = 0;
  for (const Taint& taint : taints) {
    if (taint.effect == Effect::prefer_no_schedule && !tolerates(tolerations, taint)) ++count;
  }
  return count;
}

std::optional<std::int64_t> seconds_until_eviction(const std::vector<Taint>& taints,
                                                   const std::vector<Toleration>& tolerations) {
  std::optional<std::int64_t> least;
  for (const Taint& taint : taints) {
    if (taint.effect != Effect::no_execute) continue;
    bool tolerated = false;
    for (const Toleration& toleration : tolerations) {
      if (!tolerates(toleration, taint)) continue;
      tolerated = true;
      if (!toleration.seconds) continue;
      const std::int64_t seconds = std::max<std::int64_t>(*toleration.seconds, 0);
      least = std::min(least.value_or(seconds), seconds);
    }
    if (!tolerated) return 0;
  }
  return least;
}

}  // namespace keelway::placement
