#include "reconcile/conditions.h"

#include <optional>

namespace keelway::reconcile {
namespace {

value::Value* find(value::Value& conditions, std::string_view type) {
  for (value::Value& item : conditions.mutable_items()) {
    if (item["type"].as_string() == type) return &item;
  }
  return nullptr;
}

bool set(value::Value& conditions, const Condition& wanted, base::WallTime now,
         std::optional<std::int64_t> observed) {
  const value::Value& old = find_condition(conditions, wanted.type);
  const bool same_status = old["status"].as_string() == wanted.status;
  if (!old.is_null() && same_status && old["reason"].as_string() == wanted.reason &&
      old["message"].as_string() == wanted.message &&
      (!observed || old["observedGeneration"].as_int() == *observed)) {
    return false;
  }
  value::Value next = old.is_null() ? value::Value::object() : old;
  next.set("type", wanted.type).set("status", wanted.status);
  if (wanted.reason.empty())
    next.erase("reason");
  else
    next.set("reason", wanted.reason);
  // metav1.Condition demands a message, be it empty.
  next.set("message", wanted.message);
  if (observed) next.set("observedGeneration", *observed);
  if (!same_status) next.set("lastTransitionTime", base::format_rfc3339(now));
  if (value::Value* place = find(conditions, wanted.type)) {
    *place = std::move(next);
  } else {
    conditions.push(std::move(next));
  }
  return true;
}

}  // namespace

bool set_condition(value::Value& conditions, const Condition& condition, base::WallTime now) {
  return set(conditions, condition, now, std::nullopt);
}

bool set_condition(value::Value& conditions, const Condition& condition, base::WallTime now,
                   std::int64_t observed_generation) {
  return set(conditions, condition, now, observed_generation);
}

bool remove_condition(value::Value& conditions, std::string_view type) {
  value::Array kept;
  for (const value::Value& item : conditions.items()) {
    if (item["type"].as_string() != type) kept.push_back(item);
  }
  if (kept.size() == conditions.size()) return false;
  conditions = value::Value(std::move(kept));
  return true;
}

const value::Value& find_condition(const value::Value& conditions, std::string_view type) {
  static const value::Value absent;
  for (const value::Value& item : conditions.items()) {
    if (item["type"].as_string() == type) return item;
  }
  return absent;
}

bool is_condition_true(const value::Value& conditions, std::string_view type) {
  return find_condition(conditions, type)["status"].as_string() == "True";
}

}  // namespace keelway::reconcile
