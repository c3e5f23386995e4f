// What every verb of one server shares. Belongs to the server's executor.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "access/authorizers.h"
#include "access/node_authorizer.h"
#include "access/rbac.h"
#include "apiserver/cache_view.h"
#include "apiserver/dynamic/custom_kinds.h"
#include "apiserver/operation.h"
#include "apiserver/server.h"
#include "watch/cache.h"

namespace keelway::apiserver {

class BookmarkClock;
struct WatchEncodings;
class DiscoveryCache;
class ApiMetrics;
class InFlight;
class PendingAnswers;

class Core {
 public:
  explicit Core(Config given);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Config config;
  runtime::Executor& executor;
  store::Keyspace& keyspace;
  watch::Cache cache;
  CacheView view;
  CustomKinds custom_kinds;  // and the built-in ones: current()

  access::MastersAuthorizer masters;
  access::NodeAuthorizer node_authorizer;
  access::RbacAuthorizer rbac;
  access::AuthorizerUnion authorizer;
  std::unique_ptr<access::Authenticator> authenticator;
  admission::Chain admission;

  std::unique_ptr<BookmarkClock> bookmarks;
  std::unique_ptr<WatchEncodings> encodings;
  std::unique_ptr<DiscoveryCache> discovery;
  std::unique_ptr<ApiMetrics> metrics;
  std::shared_ptr<InFlight> in_flight;  // its seats may outlive the server
  std::unique_ptr<PendingAnswers> pending_answers;
  bool ready = false;
  bool leaving = false;  // readyz says so, so that nobody new is sent here

  const schema::KindSetPtr& kinds() const { return custom_kinds.current(); }
  base::WallTime now() const { return executor.wall_now(); }

  // Destroyed before everything it guards: callbacks of the store and the cache that outlive a
  // verb check it.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);

 private:
  std::unique_ptr<watch::CacheSubscription> rbac_observer_;
};

// Where an object of `kind` is kept.
std::string_view storage_group(const schema::Kind& kind);
std::string object_key(const schema::Kind& kind, std::string_view name_space,
                       std::string_view name);
// Every object of the kind, or those of a namespace where one is given.
std::string collection_prefix(const schema::Kind& kind, std::string_view name_space);

}  // namespace keelway::apiserver
