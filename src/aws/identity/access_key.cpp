#include "aws/identity/access_key.h"

#include "base/encoding.h"
#include "client/resources.h"

namespace keelway::aws {
namespace {

using value::Value;
namespace resources = client::resources;

// An alphabet of a power of two of characters, so that every one is equally likely.
std::string characters(std::string bytes, std::string_view alphabet) {
  for (char& c : bytes) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return bytes;
}

}  // namespace

std::string access_key_object_name(std::string_view access_key_id) {
  std::string name(access_key_id);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

AccessKey draw_access_key(const std::function<std::string(std::size_t)>& random_bytes,
                          std::string account, std::string user_name) {
  AccessKey key;
  key.access_key_id = "AKIA" + characters(random_bytes(16), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
  key.secret_access_key = characters(
      random_bytes(40), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  key.account_id = std::move(account);
  key.root = user_name.empty();
  key.user_name = std::move(user_name);
  return key;
}

Value access_key_object(const AccessKey& key) {
  return Value::object(
      {{"apiVersion", resources::access_keys.api_version()},
       {"kind", resources::access_keys.kind},
       {"metadata", Value::object({{"name", access_key_object_name(key.access_key_id)}})},
       {"spec", Value::object({{"accountId", key.account_id},
                               {"accessKeyId", key.access_key_id},
                               {"secretAccessKey", key.secret_access_key},
                               {"userName", key.user_name},
                               {"root", key.root}})}});
}

std::string AccessKey::arn() const {
  const std::string account = "arn:aws:iam::" + account_id + ":";
  return root ? account + "root" : account + "user/" + user_name;
}

std::string AccessKey::user_id() const {
  if (root) return account_id;
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const std::string digest = base::sha256(arn());
  std::string id = "AIDA";
  for (int i = 0; i < 17; ++i) {
    id += alphabet[static_cast<unsigned char>(digest[static_cast<std::size_t>(i)]) % 32];
  }
  return id;
}

std::optional<AccessKey> read_access_key(const value::Value& object) {
  const value::Value& spec = object["spec"];
  AccessKey key;
  key.access_key_id = spec["accessKeyId"].as_string();
  key.secret_access_key = spec["secretAccessKey"].as_string();
  key.account_id = spec["accountId"].as_string();
  key.user_name = spec["userName"].as_string();
  key.root = spec["root"].as_bool();
  const bool nameless = !key.root && key.user_name.empty();
  if (key.access_key_id.empty() || key.secret_access_key.empty() || key.account_id.empty() ||
      nameless) {
    return std::nullopt;
  }
  return key;
}

KeyLookup lookup_in(const client::View& hub) {
  return [&hub](std::string_view access_key_id) -> std::optional<AccessKey> {
    const auto object =
        hub.get(client::resources::access_keys, "", access_key_object_name(access_key_id));
    if (!object || object->deleting()) return std::nullopt;
    auto key = read_access_key(object->value());
    // The name folds case, the identifier does not.
    if (!key || key->access_key_id != access_key_id) return std::nullopt;
    return key;
  };
}

}  // namespace keelway::aws
