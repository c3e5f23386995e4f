// The cache as a View: what authorizers and admission plugins read. Nothing is copied.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "client/view.h"
#include "watch/cache.h"

namespace keelway::apiserver {

// Belongs to the cache's executor. Made before the cache starts.
class CacheView final : public client::View {
 public:
  explicit CacheView(watch::Cache& cache);
  client::ObjectPtr get(const client::Resource& r, std::string_view name_space,
                        std::string_view name) const override;
  std::vector<client::ObjectPtr> list(const client::Resource& r,
                                      std::string_view name_space = "") const override;
  // Reads every object: no index is kept, because nothing on the request path asks.
  std::vector<std::pair<client::Resource, client::ObjectPtr>> owned_by(
      std::string_view uid) const override;
  std::vector<client::ObjectPtr> pods_on(std::string_view node_name) const override;
  client::Revision revision() const override { return cache_.revision(); }
  bool synced() const override { return cache_.ready(); }

 private:
  void take(const watch::CacheEvent& event);
  watch::Cache& cache_;
  std::unordered_map<std::string, client::ObjectSet> pods_on_;  // by node
  std::unique_ptr<watch::CacheSubscription> observer_;
};

}  // namespace keelway::apiserver
