#include "apiserver/fence.h"

#include "apiserver/core.h"
#include "apiserver/verbs/commit.h"
#include "value/json.h"
#include "watch/keys.h"

namespace keelway::apiserver {
namespace {

constexpr std::string_view fence_group = "fences.keelway.dev";
constexpr auto fresh_wait = std::chrono::seconds(10);

std::string loop_fence_key() {
  return watch::store_key(fence_group, "loops", "", "cluster");
}

Value fence_object(const FenceClaim& claim) {
  return Value::object({{"metadata", Value::object({{"name", "cluster"}})},
                        {"spec", Value::object({{"holder", claim.holder},
                                                {"epoch", claim.epoch},
                                                {"tenure", claim.tenure}})}});
}

void take(Core& core, FenceClaim claim, int races_left, FenceTaken taken) {
  const std::string key = loop_fence_key();
  const ObjectPtr current = core.cache.get(key);
  store::Revision revision = 0;
  if (current) {
    revision = current->revision();
    const Value document = current->value();
    const std::int64_t epoch = document.at("spec", "epoch").as_int();
    const bool same = document.at("spec", "holder").as_string() == claim.holder;
    const std::int64_t tenure = document.at("spec", "tenure").as_int();
    if (epoch == claim.epoch && same && tenure == claim.tenure) return taken(Fence{key, revision});
    const bool later = epoch > claim.epoch || (epoch == claim.epoch && !same) ||
                       (epoch == claim.epoch && tenure > claim.tenure);
    if (later) {
      return taken(base::fail(base::ErrorCode::conflict,
                              "the loops of this cluster have a later owner; this server follows"));
    }
  }
  store::Transaction transaction;
  transaction.compares.push_back({key, revision});
  transaction.puts.push_back(
      {key, std::make_shared<const std::string>(value::to_json(fence_object(claim))),
       std::nullopt});
  commit(core, nullptr, std::move(transaction),
         [&core, claim = std::move(claim), key, races_left,
          taken = std::move(taken)](Answer<Committed> committed) mutable {
           if (!committed) {
             return taken(base::fail(base::ErrorCode::unavailable, committed.error().message));
           }
           if (committed->ok) return taken(Fence{key, committed->revision});
           if (races_left > 0) {
             return take(core, std::move(claim), races_left - 1, std::move(taken));
           }
           taken(base::fail(base::ErrorCode::conflict, "others keep taking these loops"));
         });
}

}  // namespace

std::string server_fence_key(std::string_view server) {
  return watch::store_key(fence_group, "servers", "", server);
}

Fence server_fence(std::string_view server, store::Revision registered) {
  return {server_fence_key(server), registered};
}

void take_loop_fence(Core& core, FenceClaim claim, FenceTaken taken) {
  core.cache.wait_fresh(fresh_wait, [&core, claim = std::move(claim), taken = std::move(taken)](
                                        base::Result<Revision> fresh) mutable {
    if (!fresh) return taken(std::unexpected(fresh.error()));
    take(core, std::move(claim), 3, std::move(taken));
  });
}

}  // namespace keelway::apiserver
