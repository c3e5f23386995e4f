#include "reconcile/finalizers.h"

#include <algorithm>

namespace keelway::reconcile {

bool has_finalizer(const value::Value& object, std::string_view finalizer) {
  const value::Array& finalizers = object.at("metadata", "finalizers").items();
  return std::any_of(finalizers.begin(), finalizers.end(), [finalizer](const value::Value& item) {
    return item.as_string() == finalizer;
  });
}

value::Value finalizers_without(const value::Value& object, std::string_view finalizer) {
  value::Value kept = value::Value::array();
  for (const value::Value& item : object.at("metadata", "finalizers").items()) {
    if (item.as_string() != finalizer) kept.push(item);
  }
  return kept;
}

Action drop_finalizer(const client::Resource& resource, value::Value document,
                      std::string_view finalizer) {
  document.mutate("metadata").set("finalizers", finalizers_without(document, finalizer));
  return {client::update_call(resource, std::move(document)), {"NotFound"}};
}

}  // namespace keelway::reconcile
