#include "apiserver/cache_view.h"

#include "watch/keys.h"

namespace keelway::apiserver {

namespace {

constexpr std::string_view kPods = "/core/pods/";

std::string node_of(const schema::ObjectPtr& pod) {
  return pod ? pod->field("spec.nodeName") : std::string();
}

}  // namespace

CacheView::CacheView(watch::Cache& cache) : cache_(cache) {
  observer_ = cache.observe([this](const watch::CacheBatch& batch) {
    for (const watch::CacheEventPtr& event : batch.events) take(*event);
  });
}

void CacheView::take(const watch::CacheEvent& event) {
  if (!event.key.starts_with(kPods)) return;
  const std::string before = node_of(event.previous);
  if (!before.empty()) {
    const auto found = pods_on_.find(before);
    if (found != pods_on_.end()) {
      found->second.erase(event.previous);
      if (found->second.empty()) pods_on_.erase(found);
    }
  }
  if (event.type == watch::CacheEvent::Type::deleted) return;
  const std::string after = node_of(event.object);
  if (!after.empty()) pods_on_[after].insert(event.object);
}

client::ObjectPtr CacheView::get(const client::Resource& r, std::string_view name_space,
                                 std::string_view name) const {
  return cache_.get(watch::store_key(r.group, r.resource, name_space, name));
}

std::vector<client::ObjectPtr> CacheView::list(const client::Resource& r,
                                               std::string_view name_space) const {
  std::vector<client::ObjectPtr> objects;
  watch::Scan scan;
  scan.prefix = name_space.empty() ? watch::resource_prefix(r.group, r.resource)
                                   : watch::namespace_prefix(r.group, r.resource, name_space);
  // A scan of the present cannot fail.
  (void)cache_.scan(scan, [&](std::string_view, const schema::ObjectPtr& object) {
    objects.push_back(object);
    return true;
  });
  return objects;
}

std::vector<std::pair<client::Resource, client::ObjectPtr>> CacheView::owned_by(
    std::string_view uid) const {
  std::vector<std::pair<client::Resource, client::ObjectPtr>> owned;
  (void)cache_.scan({}, [&](std::string_view key, const schema::ObjectPtr& object) {
    for (const schema::OwnerReference& owner : object->owners()) {
      if (owner.uid != uid) continue;
      const watch::KeyParts parts = watch::split_key(key);
      client::Resource r{std::string(parts.group), "", std::string(parts.resource), "",
                         !object->name_space().empty()};
      owned.emplace_back(std::move(r), object);
      break;
    }
    return true;
  });
  return owned;
}

std::vector<client::ObjectPtr> CacheView::pods_on(std::string_view node_name) const {
  std::vector<client::ObjectPtr> pods;
  const auto found = pods_on_.find(std::string(node_name));
  if (found == pods_on_.end()) return pods;
  pods.assign(found->second.begin(), found->second.end());
  return pods;
}

}  // namespace keelway::apiserver
