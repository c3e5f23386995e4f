#include "apiserver/dynamic/custom_kinds.h"

namespace keelway::apiserver {
namespace {

constexpr std::string_view kDefinitions = "/apiextensions.k8s.io/customresourcedefinitions/";

std::vector<schema::CustomKindPtr> kinds_of(const schema::ObjectPtr& definition) {
  std::vector<schema::CustomKindPtr> kinds;
  const value::Value document = definition->value();
  if (!condition_is_true(document, "Established")) return kinds;
  auto built = schema::build_custom_kinds(document);
  if (!built) return kinds;  // was valid when it was written; a later rule may differ
  for (auto& kind : *built) kinds.push_back(std::move(kind));
  return kinds;
}

}  // namespace

bool condition_is_true(const value::Value& object, std::string_view type) {
  for (const value::Value& condition : object.at("status", "conditions").items()) {
    if (condition["type"].as_string() == type) return condition["status"].as_string() == "True";
  }
  return false;
}

CustomKinds::CustomKinds(schema::KindSetPtr built_in, watch::Cache& cache)
    : built_in_(std::move(built_in)), current_(built_in_) {
  observer_ = cache.observe([this](const watch::CacheBatch& batch) { take(batch); });
}

void CustomKinds::take(const watch::CacheBatch& batch) {
  bool changed = false;
  for (const watch::CacheEventPtr& event : batch.events) {
    if (!event->key.starts_with(kDefinitions)) continue;
    const bool gone = event->type == watch::CacheEvent::Type::deleted;
    auto kinds = gone ? std::vector<schema::CustomKindPtr>() : kinds_of(event->object);
    changed = changed || !kinds.empty() || by_definition_.contains(event->key);
    if (kinds.empty())
      by_definition_.erase(event->key);
    else
      by_definition_[event->key] = std::move(kinds);
  }
  if (changed) rebuild();
}

void CustomKinds::rebuild() {
  std::vector<schema::CustomKindPtr> all;
  for (const auto& [key, kinds] : by_definition_) all.insert(all.end(), kinds.begin(), kinds.end());
  current_ = std::make_shared<schema::DynamicKindSet>(built_in_, std::move(all));
  ++generation_;
}

}  // namespace keelway::apiserver
