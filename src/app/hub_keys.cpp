#include "app/hub_keys.h"

#include "client/resources.h"

namespace keelway::app {
namespace {

namespace resources = client::resources;
using aws::well_known_test_key;

}  // namespace

void HubKeys::settle_test_key(const KeyDirectory& known, runtime::Task next) {
  const bool there = known.find(well_known_test_key).has_value();
  if (there == config_.test_credentials) return next();
  client::Call call;
  if (config_.test_credentials) {
    const aws::AccessKey key{std::string(well_known_test_key), "test", config_.default_account, "",
                             true};
    call = client::create_call(resources::access_keys, "", aws::access_key_object(key));
  } else {
    call = client::remove_call(resources::access_keys, "", std::string(well_known_test_key));
  }
  hub_.call(std::move(call),
            [next = std::move(next)](schema::Answer<client::Reply>) mutable { next(); });
}

void HubKeys::ensure(const KeyDirectory& known,
                     std::move_only_function<void(base::Result<aws::AccessKey>)> done) {
  settle_test_key(known, [this, &known, done = std::move(done)]() mutable {
    if (const auto root = known.root_of(config_.default_account)) return done(*root);
    const aws::AccessKey key = aws::draw_access_key(
        [this](std::size_t count) { return runtime_.random_bytes(count); },
        config_.default_account, "");
    hub_.call(client::create_call(resources::access_keys, "", aws::access_key_object(key)),
              [key, done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                if (answer) return done(key);
                done(base::fail(base::ErrorCode::unavailable,
                                "the root access key cannot be stored: " + answer.error().message));
              });
  });
}

}  // namespace keelway::app
