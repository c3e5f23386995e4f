#include "app/hub_keys.h"

#include <algorithm>

#include "client/resources.h"

namespace keelway::app {
namespace {

namespace resources = client::resources;
using value::Value;

constexpr std::string_view test_key_id = "test";

std::string characters(runtime::Runtime& runtime, std::string_view alphabet, std::size_t count) {
  std::string text = runtime.random_bytes(count);
  // Both alphabets have a power of two of characters, so every one is equally likely.
  for (char& c : text) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return text;
}

}  // namespace

std::string access_key_object_name(std::string_view access_key_id) {
  std::string name(access_key_id);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return name;
}

aws::AccessKey draw_access_key(runtime::Runtime& runtime, std::string account,
                               std::string user_name) {
  aws::AccessKey key;
  key.access_key_id = "AKIA" + characters(runtime, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16);
  key.secret_access_key =
      characters(runtime, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40);
  key.account_id = std::move(account);
  key.root = user_name.empty();
  key.user_name = std::move(user_name);
  return key;
}

value::Value access_key_object(const aws::AccessKey& key) {
  return Value::object(
      {{"apiVersion", "hub.keelway.dev/v1"},
       {"kind", "AccessKey"},
       {"metadata", Value::object({{"name", access_key_object_name(key.access_key_id)}})},
       {"spec", Value::object({{"accountId", key.account_id},
                               {"accessKeyId", key.access_key_id},
                               {"secretAccessKey", key.secret_access_key},
                               {"userName", key.user_name},
                               {"root", key.root}})}});
}

void HubKeys::settle_test_key(const KeyDirectory& known, runtime::Task next) {
  const bool there = known.find(test_key_id).has_value();
  if (there == config_.test_credentials) return next();
  client::Call call;
  if (config_.test_credentials) {
    const aws::AccessKey key{std::string(test_key_id), "test", config_.default_account, "", true};
    call = client::create_call(resources::access_keys, "", access_key_object(key));
  } else {
    call = client::remove_call(resources::access_keys, "", std::string(test_key_id));
  }
  hub_.call(std::move(call),
            [next = std::move(next)](schema::Answer<client::Reply>) mutable { next(); });
}

void HubKeys::ensure(const KeyDirectory& known,
                     std::move_only_function<void(base::Result<aws::AccessKey>)> done) {
  settle_test_key(known, [this, &known, done = std::move(done)]() mutable {
    if (const auto root = known.any_root(); root && root->access_key_id != test_key_id) {
      return done(*root);
    }
    const aws::AccessKey key = draw_access_key(runtime_, config_.default_account, "");
    hub_.call(client::create_call(resources::access_keys, "", access_key_object(key)),
              [key, done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                if (answer) return done(key);
                done(base::fail(base::ErrorCode::unavailable,
                                "the root access key cannot be stored: " + answer.error().message));
              });
  });
}

}  // namespace keelway::app
