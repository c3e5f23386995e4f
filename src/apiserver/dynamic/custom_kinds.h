// The kinds that this cluster serves right now: the built-in ones and those of every
// CustomResourceDefinition whose condition Established is true.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "schema/crd.h"
#include "schema/kind.h"
#include "watch/cache.h"

namespace keelway::apiserver {

class CustomKinds {
 public:
  CustomKinds(schema::KindSetPtr built_in, watch::Cache& cache);
  const schema::KindSetPtr& current() const { return current_; }
  void replace_built_in(schema::KindSetPtr built_in) {
    built_in_ = std::move(built_in);
    rebuild();
  }
  // Counts the sets that were served; answers made for one may be kept while it stays.
  std::uint64_t generation() const { return generation_; }

 private:
  void take(const watch::CacheBatch& batch);
  void rebuild();

  schema::KindSetPtr built_in_;
  std::map<std::string, std::vector<schema::CustomKindPtr>> by_definition_;
  schema::KindSetPtr current_;
  std::uint64_t generation_ = 1;
  std::unique_ptr<watch::CacheSubscription> observer_;
};

// Whether status.conditions says that `type` holds.
bool condition_is_true(const value::Value& object, std::string_view type);

}  // namespace keelway::apiserver
