// The keys that requests are signed with: AccessKey objects of the hub.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "client/view.h"

namespace keelway::aws {

struct AccessKey {
  std::string access_key_id, secret_access_key, account_id;
  std::string user_name;  // empty for root
  bool root = false;

  std::string arn() const;      // arn:aws:iam::A:root, arn:aws:iam::A:user/N
  std::string user_id() const;  // A of root, AIDA... of a user
};

// Known to everybody; servers have it on request only, and it is never counted on.
inline constexpr std::string_view well_known_test_key = "test";

// The name of the AccessKey object of an access key id.
std::string access_key_object_name(std::string_view access_key_id);
// A fresh key in the form that AWS gives them: "AKIA" and 16 characters, 40 for the secret. Without
// a user's name it is root's. `random_bytes`: cryptographically strong.
AccessKey draw_access_key(const std::function<std::string(std::size_t)>& random_bytes,
                          std::string account, std::string user_name);
value::Value access_key_object(const AccessKey& key);

using KeyLookup = std::function<std::optional<AccessKey>(std::string_view access_key_id)>;

// Reads spec{accountId, accessKeyId, secretAccessKey, userName, root}; nullopt where one is missing
// that a signature needs.
std::optional<AccessKey> read_access_key(const value::Value& object);

// Over the AccessKey objects of the hub, which are named after the identifier in lower case; the
// view outlives the lookup.
KeyLookup lookup_in(const client::View& hub);

}  // namespace keelway::aws
