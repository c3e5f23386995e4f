#include "app/hub_keys.h"

#include "client/resources.h"

namespace keelway::app {
namespace {

namespace resources = client::resources;
using aws::well_known_test_key;

constexpr const char* subject = "the access keys";

}  // namespace

void HubKeys::insist(client::Call call, std::string_view as_good, Settled done) {
  const client::Call copy = call;
  hub_.call(copy, [this, call = std::move(call), as_good, done = std::move(done),
                   alive = alive_](schema::Answer<client::Reply> answer) mutable {
    if (!*alive) return;
    if (answer || answer.error().is(as_good)) return done({});
    if (!Patience::passes(answer.error())) {
      return done(base::fail(base::ErrorCode::unavailable, answer.error().message));
    }
    patience_.again(subject, answer.error(),
                    [this, call = std::move(call), as_good, done = std::move(done),
                     alive = std::move(alive)]() mutable {
                      if (*alive) insist(std::move(call), as_good, std::move(done));
                    });
  });
}

void HubKeys::settle_test_key(const KeyDirectory& known, Settled next) {
  const bool there = known.find(well_known_test_key).has_value();
  if (there == config_.test_credentials) return next({});
  if (!config_.test_credentials) {
    return insist(client::remove_call(resources::access_keys, "", std::string(well_known_test_key)),
                  "NotFound", std::move(next));
  }
  const aws::AccessKey key{std::string(well_known_test_key), "test", config_.default_account, "",
                           true};
  insist(client::create_call(resources::access_keys, "", aws::access_key_object(key)),
         "AlreadyExists", std::move(next));
}

void HubKeys::yield_to_first(aws::AccessKey own, Done done) {
  hub_.call(
      client::list_call(resources::access_keys),
      [this, own = std::move(own), done = std::move(done),
       alive = alive_](schema::Answer<client::Reply> answer) mutable {
        if (!*alive) return;
        if (!answer && !Patience::passes(answer.error())) {
          return done(base::fail(base::ErrorCode::unavailable,
                                 "the access keys (accesskeys of the hub) cannot be listed: " +
                                     answer.error().message));
        }
        if (!answer) {
          return patience_.again(subject, answer.error(),
                                 [this, own = std::move(own), done = std::move(done),
                                  alive = std::move(alive)]() mutable {
                                   if (*alive) yield_to_first(std::move(own), std::move(done));
                                 });
        }
        // Revisions say who was first, the same to everyone.
        aws::AccessKey first = own;
        std::int64_t first_revision = 0;
        for (const value::Value& object : answer->object["items"].items()) {
          const auto key = aws::read_access_key(object);
          if (!key || !key->root || key->account_id != own.account_id ||
              key->access_key_id == well_known_test_key) {
            continue;
          }
          const std::int64_t revision =
              std::atoll(object.at("metadata", "resourceVersion").as_string().c_str());
          if (first_revision != 0 && revision > first_revision) continue;
          first_revision = revision;
          first = *key;
        }
        if (first.access_key_id == own.access_key_id) return done(own);
        insist(client::remove_call(resources::access_keys, "",
                                   aws::access_key_object_name(own.access_key_id)),
               "NotFound",
               [first, done = std::move(done)](base::Result<void>) mutable { done(first); });
      });
}

void HubKeys::ensure(const KeyDirectory& known,
                     std::move_only_function<void(base::Result<aws::AccessKey>)> done) {
  settle_test_key(known, [this, &known,
                          done = std::move(done)](base::Result<void> settled) mutable {
    if (!settled) {
      return done(base::fail(base::ErrorCode::unavailable,
                             "the test access key cannot be settled: " + settled.error().message));
    }
    if (const auto root = known.root_of(config_.default_account)) return done(*root);
    const aws::AccessKey key =
        aws::draw_access_key([this](std::size_t count) { return runtime_.random_bytes(count); },
                             config_.default_account, "");
    // Drawn from 80 bits: one that exists is the one that an earlier call stored.
    insist(client::create_call(resources::access_keys, "", aws::access_key_object(key)),
           "AlreadyExists", [this, key, done = std::move(done)](base::Result<void> stored) mutable {
             if (stored) return yield_to_first(key, std::move(done));
             done(base::fail(base::ErrorCode::unavailable,
                             "the root access key cannot be stored: " + stored.error().message));
           });
  });
}

}  // namespace keelway::app
