#include "value/merge_patch.h"

namespace keelway::value {

Value apply_merge_patch(const Value& document, const Value& patch) {
  if (!patch.is_object()) return patch;
  Value result = document.is_object() ? document : Value::object();
  for (const auto& [key, change] : patch.members()) {
    if (change.is_null()) {
      result.erase(key);
      continue;
    }
    const Value* before = result.find(key);
    if (before != nullptr && !change.is_object()) {
      if (*before == change) continue;
      result.set(key, change);
    } else {
      result.set(key, apply_merge_patch(before != nullptr ? *before : Value(), change));
    }
  }
  return result;
}

Value diff_merge_patch(const Value& from, const Value& to) {
  if (!from.is_object() || !to.is_object()) return to;
  Value patch = Value::object();
  for (const auto& [key, before] : from.members()) {
    if (!to.contains(key)) patch.set(key, Value());
  }
  for (const auto& [key, after] : to.members()) {
    const Value* before = from.find(key);
    if (before == nullptr)
      patch.set(key, after);
    else if (!(*before == after))
      patch.set(key, diff_merge_patch(*before, after));
  }
  return patch;
}

}  // namespace keelway::value
