#include "aws/identity/access_key.h"

#include "base/encoding.h"
#include "client/resources.h"

namespace keelway::aws {

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
    std::string name(access_key_id);
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    const auto object = hub.get(client::resources::access_keys, "", name);
    if (!object || object->deleting()) return std::nullopt;
    auto key = read_access_key(object->value());
    // The name folds case, the identifier does not.
    if (!key || key->access_key_id != access_key_id) return std::nullopt;
    return key;
  };
}

}  // namespace keelway::aws
