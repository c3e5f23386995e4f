#include "apiserver/core.h"

#include "apiserver/discovery/cache.h"
#include "apiserver/in_flight.h"
#include "apiserver/metrics.h"
#include "apiserver/verbs/watch_stream.h"
#include "watch/keys.h"

namespace keelway::apiserver {
namespace {

std::unique_ptr<access::Authenticator> authenticator_of(const Config& config,
                                                        const client::View& view) {
  access::AuthenticatorParts parts;
  parts.tokens = config.token_verifier.get();
  parts.view = &view;
  parts.aws_tokens = config.aws_tokens;
  parts.allow_anonymous = config.allow_anonymous;
  return access::make_authenticator(std::move(parts));
}

}  // namespace

Core::Core(Config given)
    : config(std::move(given)),
      executor(*config.executor),
      keyspace(*config.keyspace),
      cache(executor, keyspace, config.cache),
      view(cache),
      custom_kinds(config.kinds, cache),
      node_authorizer(view),
      rbac(view, access::RbacAuthorizer::Refresh::by_notice),
      authorizer({&masters, &node_authorizer, &rbac}),
      authenticator(authenticator_of(config, view)),
      admission(admission::default_chain(config.admission)),
      bookmarks(std::make_unique<BookmarkClock>(executor)),
      encodings(std::make_unique<WatchEncodings>()),
      discovery(std::make_unique<DiscoveryCache>()) {
  if (!config.metrics) config.metrics = std::make_shared<telemetry::Metrics>();
  metrics = std::make_unique<ApiMetrics>(*config.metrics);
  in_flight = std::make_shared<InFlight>(executor, config.fairness, *config.metrics);
  pending_answers = std::make_unique<PendingAnswers>(executor);
  rbac_observer_ = cache.observe([this](const watch::CacheBatch& batch) {
    for (const watch::CacheEventPtr& event : batch.events) {
      if (!event->key.starts_with("/rbac.authorization.k8s.io/")) continue;
      const watch::KeyParts parts = watch::split_key(event->key);
      rbac.notice({std::string(parts.group), "v1", std::string(parts.resource), "", false});
    }
  });
}

Core::~Core() {
  *alive = false;
  in_flight->close();
}

std::string_view storage_group(const schema::Kind& kind) {
  return kind.storage_version.empty() ? kind.group : kind.storage_group;
}

std::string object_key(const schema::Kind& kind, std::string_view name_space,
                       std::string_view name) {
  return watch::store_key(storage_group(kind), kind.resource, kind.namespaced ? name_space : "",
                          name);
}

std::string collection_prefix(const schema::Kind& kind, std::string_view name_space) {
  if (name_space.empty() || !kind.namespaced) {
    return watch::resource_prefix(storage_group(kind), kind.resource);
  }
  return watch::namespace_prefix(storage_group(kind), kind.resource, name_space);
}

}  // namespace keelway::apiserver
